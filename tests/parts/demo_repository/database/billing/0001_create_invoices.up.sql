CREATE TABLE invoices (
    number    INT UNSIGNED NOT NULL PRIMARY KEY,
    order_id  BIGINT UNSIGNED NOT NULL,
    amount    DECIMAL(10, 2) NOT NULL,
    issued_on DATE NOT NULL
);
