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
        if ($stat === false) {
            return self::before("no file is at $file");
        }
        $signature = "$stat[dev]:$stat[ino]:$stat[mtime]:$stat[size]";
        if ($signature !== self::$signature) {
            $shared = function_exists('apcu_enabled') && apcu_enabled();
            $key = "revstamp:$file:$signature";
            $data = $shared ? apcu_fetch($key) : false;
            if (!is_array($data)) {
                $data = json_decode((string) @file_get_contents($file), true);
                if (!is_array($data) || !isset($data['format'], $data['url'], $data['assets']) || $data['format'] !== 1) {
                    return self::before("$file is no manifest that this helper knows");
                }
                if ($shared) {
                    apcu_store($key, $data, 86400);
                }
            }
            self::$data = $data;
            self::$signature = $signature;
        }
        return self::$data;
    }

    /** What it held before: a page is not lost because a file is, for a moment. */
    private static function before(string $why): array
    {
        if (self::$data === null) {
            throw new \RuntimeException("revstamp: $why");
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
