/** The suite that every kernel family passes: each op's cases against the reference, in each type that it has. */
import { afterAll, describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../../src/errors.js';
import { COMPUTE } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { FloatType } from '../../../src/program/types.js';
import { elementCount } from '../../../src/program/types.js';
import { familyRow } from '../../../src/runtime/kernels/families.js';
import type { DeviceTensor } from '../../../src/runtime/kernels/family.js';
import { allocate } from '../../../src/runtime/kernels/family.js';
import type { FamilyName, HostTensor, KernelFamily } from '../../../src/runtime/kernels/index.js';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { createReferenceFamily } from '../../../src/runtime/kernels/reference/index.js';
import { dtypeOf, numbersOf, stored } from '../../../src/runtime/kernels/tensors.js';
import type { Case } from './cases.js';
import { CASES } from './cases.js';
import { KernelBuilder, relativeError } from './helpers.js';
import { draw } from './operands.js';

export const OP_NAMES = Object.keys(COMPUTE) as ComputeName[];

/** An example's operands, rounded to their types. */
export const operandsOf = ({ operands }: Case<ComputeName>, dtype: FloatType): HostTensor[] =>
  operands.map((operand, index) => stored(operand.dtype ?? dtype, draw(operand, 17 * index + 1)));

/** An example's op alone in a kernel that computes in `dtype`. Attributes that name an element type follow it. */
export function builtCase<N extends ComputeName>(
  dtype: FloatType,
  name: N,
  { operands, attributes, coordinate }: Case<N>,
) {
  const builder = new KernelBuilder(dtype, 0, 'op', coordinate);
  const ids = operands.map((operand) => builder.operand(operand.shape, operand.dtype, operand.states));
  const typed = ('dtype' in attributes ? { ...attributes, dtype } : attributes) as Attributes[N];
  const results = builder.all(name, ids, typed);
  return { builder, ids, results, spec: builder.spec(results) };
}

/** @param given the operands, of whatever types: they are stored in the kernel's */
export async function runCase<N extends ComputeName>(
  family: KernelFamily,
  dtype: FloatType,
  name: N,
  example: Case<N>,
  given: readonly HostTensor[],
): Promise<HostTensor[]> {
  const { builder, ids, results, spec } = builtCase(dtype, name, example);
  const kernel = await family.compile(spec);
  const made = await kernel.run(
    given.map((tensor, index) => stored(builder.type(ids[index]!).dtype, numbersOf(tensor))),
  );
  results.forEach((id, index) => {
    const { dtype: expected, shape } = builder.type(id);
    expect(dtypeOf(made[index]!)).toBe(expected);
    expect(made[index]).toHaveLength(elementCount(shape));
  });
  return made;
}

/**
 * An example's op on operands that lie on the family's device, and then on some that lie in arrays. Nothing is read of
 * those once the kernel has run: they are overwritten.
 *
 * @returns what came of either, or nothing where the family keeps no tensors there
 */
async function runOnDevice(
  family: KernelFamily,
  dtype: FloatType,
  name: ComputeName,
  example: Case<ComputeName>,
  given: readonly HostTensor[],
): Promise<HostTensor[][] | undefined> {
  const { builder, ids, spec } = builtCase(dtype, name, example);
  const [kernel, nothing] = [await family.compile(spec), await family.compile({ ...spec, ops: [], results: ids })];
  if (kernel.runOnDevice === undefined || nothing.runOnDevice === undefined) return undefined;
  const arrays = () => given.map((tensor, index) => stored(builder.type(ids[index]!).dtype, numbersOf(tensor).slice()));
  const read = async (tensors: readonly DeviceTensor[]): Promise<HostTensor[]> => {
    const copies = tensors.map((tensor) => allocate(tensor.dtype, tensor.length));
    for (const [index, tensor] of tensors.entries()) await tensor.read(copies[index]!);
    tensors.forEach((tensor) => tensor.dispose());
    return copies;
  };
  const uploaded = arrays();
  const placed = await nothing.runOnDevice(
    uploaded,
    ids.map(() => false),
  );
  uploaded.forEach((array) => array.fill(-1));
  const fromDevice = await kernel.runOnDevice(
    placed,
    ids.map((_, index) => index % 2 === 0),
  );
  placed.forEach((tensor) => tensor.dispose());
  const direct = arrays();
  const fromArrays = await kernel.runOnDevice(
    direct,
    ids.map(() => true),
  );
  direct.forEach((array) => array.fill(-1));
  return [await read(fromDevice), await read(fromArrays)];
}

/** Float32 has digits to spare, but sums lose some. A half's are its rounding: half a unit in the last place. */
const TOLERANCES = { f32: 1e-5, bf16: 1.001 * 2 ** -8, f16: 1.001 * 2 ** -11 };

export const ALL_CASES = OP_NAMES.flatMap((name) =>
  CASES[name].map((example, index) => ({ name, index, example: example as Case<ComputeName> })),
);

const FLOATS = ['f32', 'bf16', 'f16'] as const;

/**
 * Where the family can't be had, its suite is skipped under a name that says why.
 *
 * @returns whether it can
 */
export async function describeConformance(name: FamilyName): Promise<boolean> {
  const found = await createKernelFamily(name).catch((error: unknown) => {
    if (error instanceof MeshwrightError && error.code === 'DEVICE_MISSING') return error;
    throw error;
  });
  if (found instanceof MeshwrightError) {
    describe.skip(`the ${name} family, which is not here (${found.detail.got})`, () => it('agrees with the reference'));
    return false;
  }
  const reference = createReferenceFamily();
  afterAll(() => Promise.all([found.dispose(), reference.dispose()]));
  const dtypes = FLOATS.filter((dtype) => familyRow(name).dtypes.includes(dtype));
  describe.each(dtypes)(`the ${name} family in %s`, (dtype) => {
    it.each(ALL_CASES)('agrees with the reference on $name ($index)', async ({ name: op, example }) => {
      const operands = operandsOf(example, dtype);
      const expected = await runCase(reference, 'f64', op, example, operands);
      const got = await runCase(found, dtype, op, example, operands);
      got.forEach((result, index) => {
        expect(relativeError(numbersOf(result), numbersOf(expected[index]!))).toBeLessThan(TOLERANCES[dtype]);
      });
      for (const kept of (await runOnDevice(found, dtype, op, example, operands)) ?? []) expect(kept).toEqual(got);
    });
  });
  return true;
}
