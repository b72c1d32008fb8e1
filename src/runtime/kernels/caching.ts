/** What every family's `compile` shares: types are checked, equal structures are built once, failures name the kernel. */
import { MeshwrightError } from '../../errors.js';
import type { CompiledKernel, DeviceTensor, FamilyName, HostTensor, KernelFamily, KernelSpec } from './family.js';
import { elementCount } from '../../program/types.js';
import { allocate, kernelName, requireDtype, requireOperands, structureKey } from './family.js';

/** A kernel as a family builds it: only structure, no names. */
export interface BuiltKernel {
  run(operands: readonly HostTensor[], results: readonly HostTensor[]): Promise<void>;
  /** See `CompiledKernel`. */
  runOnDevice?(operands: readonly (HostTensor | DeviceTensor)[], spent: readonly boolean[]): Promise<DeviceTensor[]>;
  dispose(): Promise<void>;
}

function failed(family: FamilyName, place: string, doing: string, cause: unknown): MeshwrightError {
  if (cause instanceof MeshwrightError) return cause;
  const got = cause instanceof Error ? cause.message : String(cause);
  return new MeshwrightError('DEVICE_FAILED', { place, expected: `the ${family} kernel ${doing}`, got }, { cause });
}

export function cachingFamily(
  { name, device }: Pick<KernelFamily, 'name' | 'device'>,
  build: (spec: KernelSpec) => Promise<BuiltKernel>,
): KernelFamily {
  const built = new Map<string, Promise<BuiltKernel>>();
  return {
    name,
    device,
    async compile(spec: KernelSpec): Promise<CompiledKernel> {
      const place = kernelName(spec);
      for (const op of spec.ops) {
        for (const id of [...op.operands, ...op.results]) requireDtype(name, spec.type(id).dtype, op.id);
      }
      const types = spec.operands.map((id) => spec.type(id));
      const resultTypes = spec.results.map((id) => spec.type(id));
      const newResults = (): HostTensor[] =>
        resultTypes.map(({ dtype, shape }) => allocate(dtype, elementCount(shape)));
      const key = structureKey(spec);
      const kernel = built.get(key) ?? build(spec);
      built.set(key, kernel);
      try {
        const { run, runOnDevice } = await kernel;
        const running = async <T>(operands: readonly (HostTensor | DeviceTensor)[], work: () => Promise<T>) => {
          requireOperands(place, types, operands);
          try {
            return await work();
          } catch (error) {
            throw failed(name, place, 'to run', error);
          }
        };
        return {
          async run(operands, results = newResults()) {
            await running(operands, () => run(operands, results));
            return [...results];
          },
          ...(runOnDevice && {
            runOnDevice: (operands, spent) => running(operands, () => runOnDevice(operands, spent)),
          }),
        };
      } catch (error) {
        built.delete(key);
        throw failed(name, place, 'to compile', error);
      }
    },
    async dispose() {
      const kernels = await Promise.allSettled(built.values());
      built.clear();
      await Promise.all(kernels.map((kernel) => (kernel.status === 'fulfilled' ? kernel.value.dispose() : undefined)));
    },
  };
}
