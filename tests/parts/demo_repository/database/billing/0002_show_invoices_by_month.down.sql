DROP VIEW invoices_by_month;
DROP INDEX invoices_issued_on ON invoices;
