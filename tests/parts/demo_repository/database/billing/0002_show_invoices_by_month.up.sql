CREATE INDEX invoices_issued_on ON invoices (issued_on);

CREATE VIEW invoices_by_month AS
SELECT DATE_FORMAT(issued_on, '%Y-%m') AS month, COUNT(*) AS invoices, SUM(amount) AS amount
FROM invoices
GROUP BY month;
