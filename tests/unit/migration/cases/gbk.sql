SELECT 'Х\', ';'; SELECT `Х``; SELECT 'Ѓ'; SELECT @ХХ`;`, 2; SELECT 3;
