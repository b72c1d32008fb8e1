/** Machines with round numbers, and a small sharded program with a repeated layer. */
import type { Hardware, NodeTopology, Stack, Topology, TorusTopology } from '../../src/hardware/index.js';
import { COLLECTIVES, loadHardware, loadStack } from '../../src/hardware/index.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Program, ProgramInput } from '../../src/program/index.js';
import { Builder, fuse, verify } from '../../src/program/index.js';
import { bytes, bytesPerSecond, flops, seconds } from '../../src/units.js';
import type { Machine, SimulationInput } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import { createMachine, createNetwork, timeAlone } from '../../sim/index.js';

export const LINK = 1e9;
export const HOP = 1e-6;

const link = { peak: bytesPerSecond(LINK), achievable: bytesPerSecond(LINK) };

/** A torus that wraps on axes whose length is a multiple of `wrapMultiple`. */
export const torusOf = (dimensions: number, wrapMultiple = 1): TorusTopology => ({
  kind: 'torus',
  dimensions,
  largestSlice: Array.from({ length: dimensions }, () => 64),
  linkPerDirection: link,
  hopLatency: seconds(HOP),
  wraparound: { multiple: wrapMultiple, rule: 'per-axis' },
  canTwist: true,
  multiAxisShare: 1,
});

/** As `torusOf`, of slices joined by hosts of so many chips. */
export const slicesOf = (dimensions: number, wrapMultiple: number, chipsPerHost = 4): TorusTopology => ({
  ...torusOf(dimensions, wrapMultiple),
  dataCenterNetwork: {
    chipsPerHost,
    hostPerDirection: { peak: bytesPerSecond(LINK / 10), achievable: bytesPerSecond(LINK / 10) },
    latency: seconds(10 * HOP),
    mostSlices: 64,
  },
});

export const switchOf = (chipsPerNode: number, networkBytesPerSecond = LINK / 10): NodeTopology => ({
  kind: 'switch',
  chipsPerNode,
  nodePerChipPerDirection: link,
  nodeLatency: seconds(HOP),
  collectiveStart: seconds(0),
  reducesInSwitch: false,
  network: {
    cardsPerNode: chipsPerNode,
    cardPerDirection: {
      peak: bytesPerSecond(networkBytesPerSecond),
      achievable: bytesPerSecond(networkBytesPerSecond),
    },
    latency: seconds(10 * HOP),
    reducesInSwitch: false,
  },
});

export const withTopology = (topology: Topology): Hardware => ({ ...loadHardware('tpu-v4'), topology });

export const machineOf = (topology: Topology, mesh: Mesh, slice?: readonly number[]) =>
  createMachine({ hardware: withTopology(topology), mesh, ...(slice === undefined ? {} : { slice }) });

/** The links of a way by name; fails where one does not begin where the one before ends. */
export function namesOf({ fabric }: Machine, from: number, to: number): string[] {
  let at = from;
  const names = fabric.route(from, to).map((index) => {
    const link = fabric.links[index]!;
    if (link.from !== at) throw new Error(`${link.name} begins at ${link.from}, not at ${at}`);
    at = link.to;
    return link.name;
  });
  if (at !== to) throw new Error(`the way from ${from} to ${to} ends at ${at}`);
  return names;
}

/** Seconds of a collective over an axis, nothing else on the links. */
export const collectiveSeconds = (
  machine: Machine,
  name: 'all_gather' | 'all_reduce' | 'all_to_all',
  axis: AxisName,
  heldBytes: number,
): number => {
  const network = createNetwork(machine);
  return toSeconds(timeAlone(network.collective({ name, axis, heldBytes: bytes(heldBytes) }), network.sharing));
};

/** XLA, but for every collective that may run beside kernels doing so. */
export const STACK: Stack = { ...loadStack('maxtext-xla'), asynchronous: COLLECTIVES };

/** `layers` times y ← y + gelu(y W1) W2 with W1, W2 sharded over `model`: an all-reduce a layer, then one over data. */
export function layeredProgram(mesh: Mesh, layers = 3, width = 256, tokens = 512): Program {
  const model = mesh.axes.find(({ name }) => name === 'model')?.size ?? 1;
  const data = mesh.axes.find(({ name }) => name === 'data')?.size ?? 1;
  const builder = new Builder(mesh);
  const hidden = (4 * width) / model;
  const over = (dimension: number) => (model > 1 ? { model: dimension } : {});
  const dataStates = data > 1 ? { data: 0 } : {};
  const x = builder.value({ shape: [tokens, width], dtype: 'bf16', states: dataStates }, 'input', 'x');
  const up = builder.value(
    { shape: [width, hidden], dtype: 'bf16', states: over(1), stack: layers },
    'parameter',
    'up',
  );
  const down = builder.value(
    { shape: [hidden, width], dtype: 'bf16', states: over(0), stack: layers },
    'parameter',
    'down',
  );
  const at = (id: string) => ({ id, phase: 'forward' as const });
  const plain = { transposeA: false, transposeB: false, scale: 1 };
  const { ops, result } = builder.block(() => {
    const out = builder.repeat({ ...at('layers'), count: layers, carried: [x], stacked: [up, down] }, (args) => {
      const [y] = args.carried;
      const [w1, w2] = args.stacked;
      const h = builder.emit('gelu', [builder.emit('matmul', [y!, w1!], plain, at('up'))], {}, at('gelu'));
      const partial = builder.emit('matmul', [h, w2!], plain, at('down'));
      const reduced = model > 1 ? builder.emit('all_reduce', [partial], { axis: 'model' }, at('reduce')) : partial;
      return { carried: [builder.emit('add', [y!, reduced], {}, at('residual'))], stacked: [] };
    });
    const total = builder.emit('sum', [out.carried[0]!], { dimensions: [0] }, at('sum'));
    return data > 1 ? builder.emit('all_reduce', [total], { axis: 'data' }, at('total')) : total;
  });
  builder.append(ops);
  const parameter = (value: number, name: string): ProgramInput => ({
    kind: 'parameter',
    value,
    name,
    group: 'body',
    initializer: { kind: 'zeros' },
    decayed: false,
  });
  const inputs: ProgramInput[] = [
    { kind: 'data', value: x, name: 'images' },
    parameter(up, 'up'),
    parameter(down, 'down'),
  ];
  return verify(fuse(verify(builder.finish(inputs, [{ name: 'loss', value: result }]))));
}

/** Matmul FLOPs of the default `layeredProgram` on all chips: two products of 512 rows a layer, for each of `data`. */
const layeredFlops = ({ axes }: Mesh): number =>
  3 * 2 * (2 * 512 * 256 * 1024) * (axes.find(({ name }) => name === 'data')?.size ?? 1);

/** A simulation of `layeredProgram` on 4 × 4 × 4 chips of the shipped TPU v4, or of what `changes` says. */
export function inputOf(changes: Partial<SimulationInput> & { readonly hardware?: Hardware } = {}): SimulationInput {
  const mesh = changes.machine?.mesh ?? createMesh({ data: 16, model: 4 });
  const { hardware = loadHardware('tpu-v4'), ...rest } = changes;
  return {
    program: layeredProgram(mesh),
    machine: createMachine({ hardware, mesh }),
    stack: STACK,
    modelFlops: flops(layeredFlops(mesh)),
    tokensPerStep: 16 * 512,
    memory: { peakBytes: bytes(1e9), byRole: { parameter: bytes(1e9) }, peakOpId: 'up' },
    ...rest,
  };
}
