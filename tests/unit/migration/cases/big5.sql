SELECT '¥\', ';'; SELECT `¥``; SELECT '•\';'; SELECT 3;
