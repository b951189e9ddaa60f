SELECT '誠', ';'; SELECT '', ';'; SELECT '�0乗', ';'; SELECT '�0\';'; SELECT 3;
