/** Tables that scripts write into documents. */
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

/** The first column is text, the others numbers. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/** Puts each text between the markers `<!-- NAME: … -->` and `<!-- end of NAME -->` of a file. */
export async function put(file: string, texts: Readonly<Record<string, string>>): Promise<void> {
  let written = readFileSync(file, 'utf8');
  for (const [name, text] of Object.entries(texts)) {
    const between = new RegExp(`(<!-- ${name}:.*? -->\n)[^]*?(<!-- end of ${name} -->)`);
    if (!between.test(written)) throw new Error(`${file} has no markers of ${name}`);
    written = written.replace(between, (_, before: string, after: string) => `${before}\n${text}\n\n${after}`);
  }
  const config = await resolveConfig(file);
  writeFileSync(file, await format(written, { ...config, parser: 'markdown' }));
}
