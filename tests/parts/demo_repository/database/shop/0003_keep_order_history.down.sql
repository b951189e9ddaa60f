DROP TRIGGER orders_state;
DROP TABLE order_history;
