import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { expect } from 'vitest';

/** A document of the repository is what `rewrite` makes of it; `npm run docs` writes it anew. */
export async function expectWritten(path: string, rewrite: (text: string) => string | Promise<string>): Promise<void> {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const text = await rewrite(readFileSync(file, 'utf8'));
  await expect(await format(text, { ...(await resolveConfig(file)), parser: 'markdown' })).toMatchFileSnapshot(file);
}
