
/** The functions asset, integrity and revision for templates, which escape what they print. */
final class Twig extends \Twig\Extension\AbstractExtension
{
    public function getFunctions(): array
    {
        return [
            new \Twig\TwigFunction('asset', 'Revstamp\asset'),
            new \Twig\TwigFunction('integrity', 'Revstamp\integrity'),
            new \Twig\TwigFunction('revision', 'Revstamp\revision'),
        ];
    }
}
