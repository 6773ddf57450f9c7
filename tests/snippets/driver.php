<?php

require 'verify.php';

while (($line = fgets(STDIN)) !== false) {
    $request = json_decode($line, true);
    try {
        verify($request['secret'], $request['headers'], base64_decode($request['body']));
        echo "genuine\n";
    } catch (RuntimeException) {
        echo "refused\n";
    }
}
