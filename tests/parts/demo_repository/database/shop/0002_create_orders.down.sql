DROP TABLE orders;
DELETE FROM customers WHERE email = 'ada@example.com';
