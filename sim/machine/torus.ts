/** A torus of chips, each joined to its neighbours along every dimension; axes that don't wrap are lines. */
import type { TorusTopology } from '../../src/hardware/index.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { coordinate, rankCount } from '../../src/mesh/index.js';
import type { Segment } from './torus-placement.js';
import { bestSlice, checkSlice, closes, placeOnTorus, wrappedDimensions } from './torus-placement.js';
import type { Fabric, Layout, Link, Stage } from './types.js';

const NAMES = ['x', 'y', 'z', 'w'];

const around = (position: number, length: number): number => (position + length) % length;

/** Chips are numbered row-major: the last dimension varies fastest. */
function stridesOf(slice: readonly number[]): number[] {
  return slice.map((_, dimension) => slice.slice(dimension + 1).reduce((product, length) => product * length, 1));
}

function torusFabric(slice: readonly number[], wrapped: readonly boolean[], topology: TorusTopology): Fabric {
  const chips = slice.reduce((product, length) => product * length, 1);
  const strides = stridesOf(slice);
  const links: Link[] = [];
  /** Link index by ((chip · dimensions) + dimension) · 2 + (0 up, 1 down); −1 where a line ends. */
  const table = new Int32Array(chips * slice.length * 2).fill(-1);
  for (let chip = 0; chip < chips; chip++) {
    slice.forEach((length, dimension) => {
      const position = Math.floor(chip / strides[dimension]!) % length;
      [1, -1].forEach((way, index) => {
        const inside = position + way >= 0 && position + way < length;
        if (length === 1 || (!inside && wrapped[dimension] !== true)) return;
        table[(chip * slice.length + dimension) * 2 + index] = links.length;
        links.push({
          name: `chip ${chip} ${way > 0 ? '+' : '-'}${NAMES[dimension] ?? dimension}`,
          from: chip,
          to: chip + (around(position + way, length) - position) * strides[dimension]!,
          bytesPerSecond: topology.linkPerDirection.achievable,
          latency: topology.hopLatency,
        });
      });
    });
  }
  return {
    links,
    vertices: chips,
    /** Dimension after dimension, the shorter way round; half of the chips take either way when both are as long. */
    route: (from, to) => {
      const path: number[] = [];
      let chip = from;
      slice.forEach((length, dimension) => {
        const stride = strides[dimension]!;
        const start = Math.floor(from / stride) % length;
        const end = Math.floor(to / stride) % length;
        const up = (end - start + length) % length;
        const goesUp =
          wrapped[dimension] === true ? up < length - up || (up === length - up && start % 2 === 0) : end > start;
        const hops = wrapped[dimension] === true ? Math.min(up, length - up) : Math.abs(end - start);
        let position = start;
        for (let hop = 0; hop < hops; hop++) {
          path.push(table[(chip * slice.length + dimension) * 2 + (goesUp ? 0 : 1)]!);
          const next = around(position + (goesUp ? 1 : -1), length);
          chip += (next - position) * stride;
          position = next;
        }
      });
      return path;
    },
  };
}

function stageOf(segment: Segment, slice: readonly number[], wrapped: readonly boolean[]): Stage {
  const { dimension, length, stride } = segment;
  const chipStride = stridesOf(slice)[dimension]!;
  const chips = slice.reduce((product, size) => product * size, 1);
  const groups: number[][] = [];
  for (let chip = 0; chip < chips; chip++) {
    const position = Math.floor(chip / chipStride) % slice[dimension]!;
    if (Math.floor(position / stride) % length !== 0) continue;
    groups.push(Array.from({ length }, (_, index) => chip + index * stride * chipStride));
  }
  const ring = closes(segment, slice, wrapped);
  const whole = length === slice[dimension];
  const part = whole ? `${length}` : `${length} of ${slice[dimension]}${stride > 1 ? `, ${stride} apart` : ''}`;
  const label = `${NAMES[dimension] ?? dimension} (${part}${ring ? ', wrapped' : ''})`;
  return { label, kind: 'torus', reducesInSwitch: false, length, bidirectional: ring, groups };
}

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY when the slice can't be */
export function torusLayout(topology: TorusTopology, mesh: Mesh, asked: readonly number[] | undefined): Layout {
  const slice = asked ?? bestSlice(mesh, topology);
  checkSlice(slice, rankCount(mesh), topology);
  const wrapped = wrappedDimensions(slice, topology);
  const { segments } = placeOnTorus(mesh, slice, wrapped);
  const strides = stridesOf(slice);
  const stages = new Map<AxisName, Stage[]>();
  for (const { name } of mesh.axes) {
    stages.set(
      name,
      segments.get(name)!.map((segment) => stageOf(segment, slice, wrapped)),
    );
  }
  const chipOf = (rank: number): number => {
    let chip = 0;
    for (const { name } of mesh.axes) {
      let rest = coordinate(mesh, rank, name);
      for (const { dimension, length, stride } of segments.get(name)!.toReversed()) {
        chip += (rest % length) * stride * strides[dimension]!;
        rest = Math.floor(rest / length);
      }
    }
    return chip;
  };
  return { slice, computeSlowdown: 1, fabric: torusFabric(slice, wrapped, topology), stages, chipOf };
}
