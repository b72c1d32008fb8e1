import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hardwareFolder, loadHardware, loadStack, parseHardware, parseStack } from '../../src/hardware/index.js';

const text = readFileSync(join(hardwareFolder(), 'tpu-v4.yaml'), 'utf8');
const lineOf = (needle: string): number => text.slice(0, text.indexOf(needle)).split('\n').length;

/** Reads the TPU profile with `from` replaced, which must be in it. */
function edited(from: string, to: string) {
  expect(text).toContain(from);
  return () => parseHardware(text.replace(from, to), 'edited.yaml');
}

describe('errors of a hardware profile say file, line and field', () => {
  const capacity = `edited.yaml:${lineOf('value: 32 GiB')} (chip.memory.capacity.value)`;

  it('a number without a unit', () => {
    expect(edited('value: 32 GiB', 'value: 32')).toThrow(`QUANTITY_INVALID at ${capacity}: expected a quantity`);
  });

  it('an amount below zero, or zero', () => {
    expect(edited('value: 32 GiB', 'value: -32 GiB')).toThrow(`QUANTITY_INVALID at ${capacity}`);
    expect(edited('value: 1200 GB/s', 'value: 0 GB/s')).toThrow(
      `QUANTITY_INVALID at edited.yaml:${lineOf('value: 1200 GB/s')} (chip.memory.bandwidth.peak.value): expected more than zero`,
    );
  });

  it('the unit of another dimension', () => {
    expect(edited('value: 32 GiB', 'value: 32 GB/s')).toThrow(`QUANTITY_INVALID at ${capacity}`);
  });

  it('an unknown field, with the nearest name', () => {
    expect(edited('hopLatency:', 'hopLatencie:')).toThrow(
      new RegExp(
        `FIELD_UNKNOWN at edited.yaml:${lineOf('hopLatency:')} \\(topology.hopLatencie\\).*did you mean hopLatency\\?`,
      ),
    );
    expect(edited('vectorRate:', 'vektorRate:')).toThrow(/did you mean vectorRate\?/);
  });

  it('a number without a source', () => {
    expect(() =>
      parseHardware(
        text.replace(/capacity: \{ value: 32 GiB, .*?, status/, 'capacity: { value: 32 GiB, status'),
        'edited.yaml',
      ),
    ).toThrow(`HARDWARE_INVALID at edited.yaml:${lineOf('value: 32 GiB')} (chip.memory.capacity.source)`);
  });

  it('a count of nothing, in words', () => {
    expect(edited('value: 4\n', 'value: 0\n')).toThrow(/\.value\): expected more than 0, got 0$/);
  });

  it('a rate above the peak', () => {
    expect(edited('value: 45 GB/s', 'value: 60 GB/s')).toThrow(
      /QUANTITY_INVALID .*expected at most the peak, 50 GB\/s/,
    );
  });

  it('collectives that take all compute units, or less than none', () => {
    const units = (value: number): string =>
      `  collectiveUnits: { value: ${value}, source: a test, status: assumed }\n`;
    const at = `edited.yaml:${lineOf('  vectorRate:')} (chip.collectiveUnits.value)`;
    expect(edited('  vectorRate:', `${units(8)}  vectorRate:`)).toThrow(
      `HARDWARE_INVALID at ${at}: expected fewer than the 8 of chip.matrixUnit.units, got 8`,
    );
    expect(edited('  vectorRate:', `${units(-1)}  vectorRate:`)).toThrow(`HARDWARE_INVALID at ${at}`);
    expect(edited('  vectorRate:', `${units(7)}  vectorRate:`)().chip.collectiveUnits).toBe(7);
  });

  it('a share of the links of several dimensions that is none, or more than all', () => {
    const at = `edited.yaml:${lineOf('value: 0.655')} (topology.multiAxisShare.value)`;
    for (const share of ['0', '1.2', '-1', 'most'])
      expect(edited('value: 0.655', `value: ${share}`)).toThrow(`HARDWARE_INVALID at ${at}`);
  });

  it('a wraparound that does not say what its rule asks for, or says more', () => {
    expect(edited('rule: every-axis', 'rule: none')).toThrow(
      /HARDWARE_INVALID at edited.yaml:\d+ \(topology.wraparound.multiple\): expected no multiple, which rule none does not ask for, got 4/,
    );
    expect(edited('rule: every-axis', 'rule: listed')).toThrow(/topology.wraparound.multiple\): expected no multiple/);
    expect(() =>
      parseHardware(
        text.replace(
          /multiple:[^]*?rule: every-axis/,
          'rule: listed\n    dimensions: { value: [true], source: mine, status: assumed }',
        ),
        'edited.yaml',
      ),
    ).toThrow(/topology.wraparound.dimensions.value\): expected true or false for 3 dimensions, got \[true\]/);
    expect(() => parseHardware(text.replace(/multiple:[^]*?rule: every-axis/, 'rule: listed'), 'edited.yaml')).toThrow(
      /topology.wraparound.dimensions\): expected which dimensions wrap, .* got nothing/,
    );
  });

  it('a twist of a torus that has no wrapped links', () => {
    expect(() => parseHardware(text.replace(/multiple:[^]*?rule: every-axis/, 'rule: none'), 'edited.yaml')).toThrow(
      /topology.canTwist.value\): expected false where not all of two or more dimensions can wrap/,
    );
  });

  it('bad YAML', () => {
    expect(() => parseHardware('schema: [', 'edited.yaml')).toThrow(
      /HARDWARE_INVALID at edited.yaml:1: expected valid YAML/,
    );
  });

  it('a default type without a matmul rate', () => {
    expect(edited('defaultDtype: bf16', 'defaultDtype: f16')).toThrow(
      /HARDWARE_INVALID .*defaultDtype.* expected one of/,
    );
  });
});

it('errors of a stack profile, too', () => {
  const stack = readFileSync(join(hardwareFolder(), 'stacks', 'maxtext-xla.yaml'), 'utf8');
  expect(() => parseStack(stack.replace('value: 1 us', 'value: 1'), 'x.yaml')).toThrow(
    /QUANTITY_INVALID at x.yaml:\d+ \(opOverhead.value/,
  );
  expect(() => parseStack(stack.replace('value: 0.03', 'value: 1.03'), 'x.yaml')).toThrow(
    /HARDWARE_INVALID at x.yaml:\d+ \(reservedMemoryFraction.value/,
  );
});

it('an unknown name comes with the nearest', () => {
  expect(() => loadHardware('tpu-v4p')).toThrow(/HARDWARE_UNKNOWN .*did you mean tpu-v4\?/);
  expect(() => loadStack('maxtext-xlaa')).toThrow(/HARDWARE_UNKNOWN .*did you mean maxtext-xla\?/);
  expect(() => loadHardware('./nowhere.yaml')).toThrow(/HARDWARE_UNKNOWN/);
});
