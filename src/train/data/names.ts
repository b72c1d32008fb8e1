/** What lies in a folder, by name. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Names in `dir` of one kind, links followed, in code unit order: the same on every machine, whatever its locale. */
export async function namesIn(dir: string, kind: 'folder' | 'file'): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    // Hidden entries are left by file managers: `._cat.jpg` has an image's name and holds none.
    if (entry.name.startsWith('.')) continue;
    const found = entry.isSymbolicLink() ? await stat(join(dir, entry.name)).catch(() => undefined) : entry;
    if (kind === 'folder' ? found?.isDirectory() : found?.isFile()) names.push(entry.name);
  }
  return names.sort();
}
