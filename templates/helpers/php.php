namespace Revstamp;

final class Manifest
{
    private const FILE = @MANIFEST@;

    private static $signature;
    private static $data;

    /** What the manifest holds now. */
    public static function data(): array
    {
        $file = self::FILE[0] === '/' ? self::FILE : __DIR__ . '/' . self::FILE;
        clearstatcache(true, $file);
        $stat = @stat($file);
        $signature = $stat ? "$stat[dev]:$stat[ino]:$stat[mtime]:$stat[size]" : '';
        if ($signature !== '' && $signature === self::$signature) {
            return self::$data;
        }
        $shared = function_exists('apcu_enabled') && apcu_enabled();
        if (self::$data === null && $shared && is_array($kept = apcu_fetch("revstamp:$file"))) {
            [self::$signature, self::$data] = $kept;
            if ($signature === self::$signature) {
                return self::$data;
            }
        }
        $data = json_decode((string) @file_get_contents($file), true);
        if (is_array($data) && isset($data['format'], $data['url'], $data['assets']) && $data['format'] === 1) {
            [self::$signature, self::$data] = [$signature, $data];
            if ($shared) {
                apcu_store("revstamp:$file", [$signature, $data], 86400);
            }
        } elseif (self::$data === null) { // else a page is not lost because a file is, for a moment
            throw new \RuntimeException('revstamp: ' . ($stat ? "$file is no manifest that this helper knows" : "no file is at $file"));
        }
        return self::$data;
    }

    /** The path under the asset root, and the query or fragment behind it. */
    public static function cut(string $path): array
    {
        $path = ltrim($path, '/');
        $end = strcspn($path, '?#');
        return [substr($path, 0, $end), (string) substr($path, $end)];
    }
}

/** The URL of an asset. Escape it for HTML. */
function asset(string $path): string
{
    $data = Manifest::data();
    [$name, $rest] = Manifest::cut($path);
    if (!isset($data['assets'][$name])) {
        return $data['url'] . $name . $rest;
    }
    $url = $data['assets'][$name]['url'];
    if ($rest !== '' && $rest[0] === '?' && strpos($url, '?') !== false) {
        $rest = '&' . substr($rest, 1);
    }
    return $url . $rest;
}

/** What the attribute integrity is to be for an asset; empty when it is not known. */
function integrity(string $path): string
{
    return Manifest::data()['assets'][Manifest::cut($path)[0]]['integrity'] ?? '';
}

/** The site's revision. */
function revision(): string
{
    return Manifest::data()['revision'] ?? '';
}
