<?php
// Prints the value of each of K0, K1 ... in the file that the second argument
// names, by the Symfony Dotenv below the first, in base64.
foreach (['Exception/ExceptionInterface', 'Exception/FormatException', 'Exception/FormatExceptionContext', 'Dotenv'] as $class) {
    require "$argv[1]/$class.php";
}
$values = (new Symfony\Component\Dotenv\Dotenv())->parse(file_get_contents($argv[2]));
for ($i = 0; $i < count($values); $i++) {
    echo base64_encode($values["K$i"]), "\n";
}
