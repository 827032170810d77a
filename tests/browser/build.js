// Minifies the snippet; with --check, says whether the committed file is what the source makes, and small enough.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parse } from 'acorn';
import { minify } from 'terser';

const folder = new URL('../../functions/event-intake/snippet/', import.meta.url);
const SOURCE = fileURLToPath(new URL('frontdesk.js', folder));
export const MINIFIED = fileURLToPath(new URL('frontdesk.min.js', folder));
const MOST_GZIPPED = 3 * 1024;

const source = readFileSync(SOURCE, 'utf8');
parse(source, { ecmaVersion: 2017, sourceType: 'script' }); // throws when it is newer JavaScript than promised
const { code } = await minify(source, {
  ecma: 2017,
  compress: { passes: 3, unsafe_arrows: false },
  mangle: true,
  format: { comments: false },
});
const made = `${code}\n`;
parse(made, { ecmaVersion: 2017, sourceType: 'script' });
const gzipped = gzipSync(made, { level: 9 }).length;

if (process.argv.includes('--check')) {
  if (readFileSync(MINIFIED, 'utf8') !== made) fail('frontdesk.min.js is not what frontdesk.js makes: npm run build');
} else {
  writeFileSync(MINIFIED, made);
}
console.log(`frontdesk.min.js: ${made.length} bytes, ${gzipped} gzipped`);
if (gzipped >= MOST_GZIPPED) fail(`more than ${MOST_GZIPPED} bytes gzipped`);

function fail(why) {
  console.error(why);
  process.exit(1);
}
