CREATE TABLE order_history (
    order_id   BIGINT UNSIGNED NOT NULL,
    state      VARCHAR(10) NOT NULL,
    changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    INDEX (order_id, changed_at)
);

-- A trigger's body holds semicolons; the server finds its end, so no DELIMITER is needed.
CREATE TRIGGER orders_state AFTER UPDATE ON orders FOR EACH ROW
BEGIN
    IF NEW.state <> OLD.state THEN
        INSERT INTO order_history (order_id, state) VALUES (NEW.id, NEW.state);
    END IF;
END;

UPDATE orders SET state = 'paid' WHERE total < 20;
