import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { extendStack, loadHardware, loadStack } from '../../src/hardware/index.js';

const made: string[] = [];
afterEach(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

/** A folder with these profiles; the path of the first. */
function write(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-extends-'));
  made.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return join(folder, Object.keys(files)[0]!);
}

const stack = (base: string, fields = ''): string =>
  `schema: meshwright/stack@1\nextends: ${base}\nname: mine\ntitle: Mine\n${fields}`;
const hardware = (base: string, fields = ''): string =>
  `schema: meshwright/hardware@1\nextends: ${base}\nname: mine\ntitle: Mine\n${fields}`;
const OVERHEAD = "opOverhead: { value: 7 us, source: 'a guess', status: assumed }\n";

describe('a profile that extends another', () => {
  it('has its own name and fields, and all else as the other', () => {
    const [mine, base] = [loadStack(write({ 'a.yaml': stack('megatron-lm', OVERHEAD) })), loadStack('megatron-lm')];
    expect(mine).toMatchObject({ name: 'mine', title: 'Mine', opOverhead: 7e-6 });
    expect({ ...mine, name: base.name, title: base.title, opOverhead: base.opOverhead, document: 0 }).toEqual({
      ...base,
      document: 0,
    });
  });

  it('may be extended in turn, by a path beside it', () => {
    const path = write({
      'a.yaml': stack('./b.yaml', "hostTimePerOp: { value: 3 us, source: 'a guess', status: assumed }\n"),
      'b.yaml': stack('megatron-lm', OVERHEAD),
    });
    expect(loadStack(path)).toMatchObject({ opOverhead: 7e-6, hostTimePerOp: 3e-6 });
  });

  it('replaces a number with its source inside what it keeps', () => {
    const fields = "chip:\n  memory:\n    capacity: { value: 40 GB, source: 'A100 datasheet', status: datasheet }\n";
    const [mine, base] = [
      loadHardware(write({ 'a.yaml': hardware('a100-80gb-sxm', fields) })),
      loadHardware('a100-80gb-sxm'),
    ];
    expect(mine.chip).toEqual({ ...base.chip, memoryCapacity: 40e9 });
    expect(mine.document.chip.memory.capacity.source).toBe('A100 datasheet');
    expect(mine.topology).toEqual(base.topology);
  });

  it('replaces a topology of another kind whole', () => {
    const number = (value: string) => `{ value: ${value}, source: a test, status: assumed }`;
    const fields = `topology:\n  kind: fully-connected\n  chipsPerNode: ${number('4')}\n  nodeLatency: ${number('1 us')}\n  nodeBandwidthPerChipPerDirection: { peak: ${number('1 GB/s')}, achievable: ${number('1')} }\n`;
    const { topology } = loadHardware(write({ 'a.yaml': hardware('tpu-v4', fields) }));
    expect(topology).toMatchObject({ kind: 'fully-connected', chipsPerNode: 4 });
    expect(topology).not.toHaveProperty('wraparound');
  });

  it('is refused where it extends itself in the end, with the way there', () => {
    const path = write({ 'a.yaml': stack('./b.yaml'), 'b.yaml': stack('./a.yaml') });
    expect(() => loadStack(path)).toThrow(
      /HARDWARE_INVALID at .*b\.yaml:2 \(extends\): expected a profile that does not extend this one in turn, got .*a\.yaml → .*b\.yaml → .*a\.yaml$/,
    );
    expect(() => loadStack(write({ 'a.yaml': stack('./a.yaml') }))).toThrow(
      /HARDWARE_INVALID at .*a\.yaml:2 \(extends\)/,
    );
  });

  it('is refused where what it extends is unknown, or no name', () => {
    expect(() => loadStack(write({ 'a.yaml': stack('megatron-ml') }))).toThrow(
      /HARDWARE_UNKNOWN at .*a\.yaml:2 \(extends\): .*did you mean megatron-lm\?/,
    );
    expect(() => loadHardware(write({ 'a.yaml': hardware('[tpu-v4]') }))).toThrow(
      /HARDWARE_INVALID at .*:2 \(extends\)/,
    );
  });

  it('needs a name of its own, and says where its own mistakes are', () => {
    const nameless = stack('megatron-lm').replace('name: mine\n', '');
    expect(() => loadStack(write({ 'a.yaml': nameless }))).toThrow(/HARDWARE_INVALID at .*a\.yaml:1 \(name\)/);
    expect(() => loadStack(write({ 'a.yaml': stack('megatron-lm', OVERHEAD.replace('7 us', '7')) }))).toThrow(
      /QUANTITY_INVALID at .*a\.yaml:5 \(opOverhead\.value\)/,
    );
    expect(() => loadStack(write({ 'a.yaml': stack('megatron-lm', 'opOverhed: 1\n') }))).toThrow(
      /FIELD_UNKNOWN at .*a\.yaml:5 \(opOverhed\).*did you mean opOverhead\?/,
    );
  });
});

it('a stack with other fields in code is what a profile that extends it would be', () => {
  const attention = { value: 'fused', source: 'a row', status: 'published' } as const;
  const extended = extendStack(loadStack('megatron-lm'), { attention }, 'row');
  expect({ ...extended, document: 0 }).toEqual({ ...loadStack('megatron-lm'), attention: 'fused', document: 0 });
  expect(extended.document.attention).toEqual(attention);
});
