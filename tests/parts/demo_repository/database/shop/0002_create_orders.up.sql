CREATE TABLE orders (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id BIGINT UNSIGNED NOT NULL,
    total       DECIMAL(10, 2) NOT NULL,
    state       ENUM ('open', 'paid', 'shipped') NOT NULL DEFAULT 'open',
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);

INSERT INTO customers (email, name) VALUES ('ada@example.com', 'Ada; the first customer');
INSERT INTO orders (customer_id, total) VALUES (LAST_INSERT_ID(), 19.90);
