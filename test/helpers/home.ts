/** No test reads or writes the home of whoever runs it: each file of tests has a store of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const home = mkdtempSync(join(tmpdir(), 'meshwright-home-'));
process.env['MESHWRIGHT_HOME'] = home;
afterAll(() => rmSync(home, { recursive: true, force: true }));
