import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.BufferedReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;

/**
 * Prints what java.util.Properties reads. Each line on standard input is a
 * source in base64, after "u" when it is to be read as UTF-8 and "l" when it is
 * to be read as Latin-1. Each line on standard output is one of the answers, in
 * JSON: a list of [key, value], with those that a later one replaces; or null
 * for a source that Java refuses.
 */
public class Read {
    static class Pairs extends Properties {
        final StringBuilder json = new StringBuilder("[");

        @Override
        public synchronized Object put(Object key, Object value) {
            if (json.length() > 1) json.append(',');
            json.append('[');
            quote((String) key);
            json.append(',');
            quote((String) value);
            json.append(']');
            return null;
        }

        void quote(String text) {
            json.append('"');
            for (char c : text.toCharArray()) {
                if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                    json.append(String.format("\\u%04x", (int) c));
                } else {
                    json.append(c);
                }
            }
            json.append('"');
        }
    }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        StringBuilder out = new StringBuilder();
        for (String line; (line = in.readLine()) != null; ) {
            byte[] source = Base64.getDecoder().decode(line.substring(1));
            Pairs pairs = new Pairs();
            try {
                if (line.charAt(0) == 'u') {
                    pairs.load(new StringReader(new String(source, StandardCharsets.UTF_8)));
                } else {
                    pairs.load(new ByteArrayInputStream(source));
                }
                out.append(pairs.json).append("]\n");
            } catch (IllegalArgumentException e) {
                out.append("null\n");
            }
        }
        System.out.print(out);
    }
}
