/** Garbage of a device process: what its threads leave behind between runs. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/package-root.js';
import { GARBAGE_FLAGS } from '../../src/runtime/garbage.js';
import { pack, unpack } from '../../src/runtime/protocol.js';

const module = pathToFileURL(join(packageRoot(), 'dist/src/runtime/garbage.js')).href;

/** Makes 40 MB of objects that live through many young collections, lets them go, and tells how much is in use then. */
const SCRIPT = `
  import { getHeapStatistics } from 'node:v8';
  import { GarbageCollector } from '${module}';
  const collector = new GarbageCollector();
  collector.collect();
  let kept = Array.from({ length: 1e6 }, (_, index) => ({ index }));
  const before = getHeapStatistics().used_heap_size;
  kept = undefined;
  collector.collect();
  console.log(JSON.stringify([before, getHeapStatistics().used_heap_size]));
`;

it('is collected between runs where the process has the flags for it', () => {
  const run = (flags: readonly string[]) =>
    JSON.parse(
      execFileSync(process.execPath, [...flags, '--input-type=module', '-e', SCRIPT], { encoding: 'utf8' }),
    ) as [number, number];
  const [before, after] = run(GARBAGE_FLAGS);
  expect(before - after).toBeGreaterThan(20e6);
  const [, left] = run([]);
  expect(left).toBeGreaterThan(after + 20e6);
});

it('is not made of what is sent to a rank: a part is copied once and goes over, what is whole stays', () => {
  const batch = Float32Array.from({ length: 8 }, (_, index) => index);
  const copies: ArrayBuffer[] = [];
  const [part, whole] = [pack(batch.subarray(2, 5), copies), pack(batch, copies)];
  expect(copies).toHaveLength(1);
  const sent = structuredClone([part, whole], { transfer: copies });
  expect(sent.map(unpack)).toEqual([Float32Array.of(2, 3, 4), batch]);
  expect(copies[0]!.byteLength).toBe(0);
  expect(batch).toHaveLength(8);
});
