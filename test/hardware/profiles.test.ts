import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hardwareFolder, listHardware, listStacks, loadHardware, loadStack } from '../../src/hardware/index.js';

const quantity = /^\s*[\d.]+\s*[a-zA-Zµ/]+/;

/** Dotted paths of numbers and quantities that have no source and status at, or around, them. */
function withoutSource(value: unknown, path: string, covered: boolean): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => withoutSource(item, `${path}.${index}`, covered));
  if (typeof value === 'object' && value !== null) {
    const here = covered || ('source' in value && 'status' in value);
    return Object.entries(value).flatMap(([key, inner]) =>
      key === 'source' ? [] : withoutSource(inner, `${path}.${key}`, here),
    );
  }
  const isNumber = typeof value === 'number' || (typeof value === 'string' && quantity.test(value));
  return isNumber && !covered ? [path] : [];
}

const profiles = [
  ...listHardware().map((name) => `${name}.yaml`),
  ...listStacks().map((name) => join('stacks', `${name}.yaml`)),
];

describe('shipped profiles', () => {
  it('are there', () => {
    const gpus = [
      'a100-40gb-sxm',
      'a100-80gb-sxm',
      'b200-180gb-sxm',
      'h100-80gb-sxm',
      'h100-96gb-sxm-500w',
      'h200-141gb-sxm',
    ];
    expect(listHardware()).toEqual(expect.arrayContaining([...gpus, 'local', 'tpu-v4']));
    const gpuStacks = ['aleph-alpha-scaling', 'megatron-deepspeed', 'megatron-lm', 'nemo-megatron', 'pytorch-fsdp'];
    expect(listStacks()).toEqual(expect.arrayContaining(['default', ...gpuStacks, 'maxtext-xla', 'onnxruntime-cpu']));
  });

  it.each(profiles)('%s has a source and a status for every number', (file) => {
    const document: unknown = parse(readFileSync(join(hardwareFolder(), file), 'utf8'));
    // A version counts profilings; it is no quantity.
    expect(withoutSource(document, file, false).filter((path) => !path.endsWith('peakVersion'))).toEqual([]);
  });

  it.each(listHardware())('%s is named as its file, and its stack exists', (name) => {
    const hardware = loadHardware(name);
    expect(hardware.name).toBe(name);
    expect(loadStack(hardware.defaultStack).name).toBe(hardware.defaultStack);
    expect(hardware.chip.matmul[hardware.defaultDtype]).toBeDefined();
  });

  it("say whether chips exchange beside their kernels: not this machine's own ranks, nor the stacks of DeepSpeed and Aleph Alpha", () => {
    const waiting = listStacks().filter((name) => loadStack(name).asynchronous.length === 0);
    expect(waiting).toEqual(['aleph-alpha-scaling', 'megatron-deepspeed', 'onnxruntime-cpu']);
  });

  it.each(['megatron-lm', 'maxtext-xla'])('%s with flash attention is the same but for attention', (name) => {
    const [plain, flash] = [loadStack(name), loadStack(`${name}-flash`)];
    expect(flash.attention).not.toBe(plain.attention);
    expect({ ...flash, name, title: plain.title, attention: plain.attention, document: plain.document }).toEqual(plain);
  });

  it('have the public figures', () => {
    const { chip, topology } = loadHardware('tpu-v4');
    expect(chip.matmul.bf16!.peak).toBe(275e12);
    expect(chip.memoryBandwidth.peak).toBe(1.2e12);
    expect(topology).toMatchObject({ kind: 'torus', largestSlice: [16, 16, 16] });
    expect(loadHardware('a100-80gb-sxm').chip.matmul.bf16!.peak).toBe(312e12);
    expect(loadHardware('h100-80gb-sxm').chip.matmul.bf16!.peak).toBe(989e12);
    expect(loadHardware('local').chip.peakVersion).toBe(1);
  });
});
