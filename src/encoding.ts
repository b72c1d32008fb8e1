/** What is text: UTF-8, which YAML and JSON files are in, and what is trained on as text. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

/** How UTF-16 begins, in either order of its bytes. */
const isUtf16 = ([first, second]: Uint8Array): boolean =>
  (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);

/** What bytes are instead of text in UTF-8. */
export function notUtf8(bytes: Uint8Array): string | undefined {
  if (isUtf16(bytes)) return 'UTF-16';
  const zero = bytes.indexOf(0);
  if (zero >= 0) return `a zero byte, at ${zero}`;
  return isUtf8(bytes) ? undefined : 'bytes that are not';
}

/** @throws Error of the system where the file can't be read, and of what is no text */
export function readUtf8(path: string): string {
  const bytes = readFileSync(path);
  const got = notUtf8(bytes);
  if (got !== undefined) throw new Error(`${got}, where text in UTF-8 belongs`);
  return bytes.toString('utf8');
}
