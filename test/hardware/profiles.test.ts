import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  hardwareFolder,
  listHardware,
  listStacks,
  loadHardware,
  loadStack,
  parseHardware,
} from '../../src/hardware/index.js';

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
    expect(waiting).toEqual(['aleph-alpha-scaling', 'megatron-deepspeed', 'onnxruntime-cpu', 'tfjs-wasm']);
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

describe('prices and power', () => {
  const rented = listHardware().filter((name) => !name.startsWith('local'));

  it.each(rented)('%s has a price with its region and date', (name) => {
    const { price } = loadHardware(name);
    expect(price!.perChipHour).toBeGreaterThan(0);
    expect(price!.region).toMatch(/^(AWS|Google Cloud) [a-z]+-[a-z]+-?\d/);
    expect(Date.parse(price!.date)).toBeLessThan(Date.parse('2026-12-01'));
  });

  it('a machine of one’s own has none', () => {
    expect(loadHardware('local')).not.toHaveProperty('price');
    expect(loadHardware('local')).not.toHaveProperty('power');
  });

  it('are the chip’s own where a profile extends another', () => {
    const prices = ['h100-80gb-sxm', 'h200-141gb-sxm', 'b200-180gb-sxm'].map((name) => loadHardware(name).price!);
    expect(new Set(prices.map(({ perChipHour }) => perChipHour)).size).toBe(prices.length);
    expect(loadHardware('h100-96gb-sxm-500w').power).toEqual({ limit: 500 });
    expect(loadHardware('tpu-v4').power).toEqual({ limit: 192, training: 170 });
    for (const name of ['tpu-v5e', 'tpu-v5p', 'tpu-v6e']) expect(loadHardware(name).power).toBeUndefined();
  });

  it('need a unit, a region and a date', () => {
    const withField = (field: string) =>
      parseHardware(`extends: tpu-v4\nschema: meshwright/hardware@1\nname: mine\ntitle: mine\n${field}`, 'mine.yaml');
    const priced = (value: string, date: string) =>
      withField(
        `pricePerChipHour: { value: ${value}, region: my cellar, date: ${date}, source: bill, status: measured }`,
      );
    expect(priced('1 USD/h', "'2026-11'").price).toEqual({ perChipHour: 1, region: 'my cellar', date: '2026-11' });
    expect(() => priced('1', "'2026-11'")).toThrow(/QUANTITY_INVALID at mine.yaml:5/);
    expect(() => priced('0 USD/h', "'2026-11'")).toThrow(/QUANTITY_INVALID at mine.yaml:5.*more than zero/);
    expect(() => priced('1 USD/h', 'November')).toThrow(/HARDWARE_INVALID at mine.yaml:5.*a day or a month/);
    expect(() => withField('powerPerChip: { limit: { value: 700, source: plate, status: datasheet } }')).toThrow(
      /QUANTITY_INVALID at mine.yaml:5/,
    );
  });
});
