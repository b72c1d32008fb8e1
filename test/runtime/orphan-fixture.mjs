/** A parent that starts a device process that never ends, says its id, and waits to be killed. */
import process from 'node:process';
import { URL } from 'node:url';
import { runInChild } from '../../dist/src/runtime/child.js';

await runInChild(
  new URL('child-fixture.mjs', import.meta.url),
  { kind: 'never', args: undefined },
  { onEvent: (pid) => process.send?.(pid) },
);
