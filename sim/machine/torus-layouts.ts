/** The distinct ways in which a mesh may lie on slices of a torus: shapes of slices, and axes on whole dimensions. */
import { MeshwrightError } from '../../src/errors.js';
import type { TorusTopology } from '../../src/hardware/index.js';
import { TORUS_DIMENSIONS } from '../../src/hardware/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import type { SlicedMesh, TorusOptions } from './slices.js';
import { chooseSlices, sliceShapes } from './slices.js';
import type { Placement } from './torus-placement.js';
import { placeOnTorus } from './torus-placement.js';
import { shapeOf } from './torus-shape.js';

/** Values that may be taken; `all` of shapes and placements that the mesh can have, absent what the machine chooses. */
export interface LayoutChoices {
  readonly slice?: readonly (readonly number[])[] | 'all';
  readonly slices?: readonly number[];
  readonly twist?: readonly boolean[];
  readonly placement?: readonly Placement[] | 'all';
}

/** Each dimension given to one of the axes or to none; a mesh axis may get several, in their order. */
function placements({ axes }: Mesh, dimensions: number): Placement[] {
  const names = TORUS_DIMENSIONS.slice(0, dimensions);
  let found: Placement[] = [{}];
  for (const dimension of names) {
    found = found.flatMap((placement) => [
      placement,
      ...axes.map(({ name }) => ({ ...placement, [name]: [...(placement[name] ?? []), dimension] })),
    ]);
  }
  return found;
}

/**
 * What of a layout collectives can tell: for each dimension its length, whether it closes, and what lies on it.
 * Dimensions that are alike may be swapped.
 */
function signature({ slices, inner, cut }: SlicedMesh, topology: TorusTopology, options: TorusOptions): string {
  const { slice = [], twist = false, placement = {} } = options;
  const shape = shapeOf(slice, topology, twist);
  const { segments } = placeOnTorus(inner, shape, placement)!;
  const dimensions = slice.map((length, dimension) => {
    const here = [...segments].flatMap(([axis, list]) =>
      list.flatMap((segment, order) =>
        segment.dimension === dimension ? [`${axis}#${order}:${segment.length}/${segment.stride}`] : [],
      ),
    );
    return `${length}${shape.wrapped[dimension] ? 'o' : '-'}${here.join(',')}`;
  });
  return [slices, cut ?? '', twist, ...dimensions.toSorted()].join(' ');
}

/**
 * The machine's own choice comes first, and says nothing.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY where the mesh can lie in none of them; JOB_INVALID of what this torus
 *   doesn't have
 */
export function torusLayouts(topology: TorusTopology, mesh: Mesh, choices: LayoutChoices): TorusOptions[] {
  const found = new Map<string, TorusOptions>();
  let refusal: MeshwrightError | undefined;
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MeshwrightError) || error.code !== 'MESH_DOES_NOT_MULTIPLY') throw error;
      refusal ??= error;
    }
  };
  const add = (written: TorusOptions, whole: TorusOptions): void =>
    attempt(() => {
      const key = signature(chooseSlices(topology, mesh, whole), topology, whole);
      if (!found.has(key)) found.set(key, written);
    });
  const asked = choices.placement === undefined || choices.placement === 'all' ? [{}] : choices.placement;
  for (const slices of choices.slices ?? [undefined]) {
    for (const twist of choices.twist ?? [false]) {
      for (const placement of asked) {
        const base: TorusOptions = {
          ...(slices === undefined ? {} : { slices }),
          ...(twist ? { twist } : {}),
          ...(Object.keys(placement).length === 0 ? {} : { placement }),
        };
        attempt(() => {
          const chosen = chooseSlices(topology, mesh, base);
          const count = chosen.slices === 1 ? {} : { slices: chosen.slices };
          if (choices.slice === undefined || choices.slice === 'all') add(base, { ...base, slice: chosen.slice });
          if (choices.slice === undefined) return;
          const shapes = choices.slice === 'all' ? sliceShapes(topology, mesh, base) : choices.slice;
          for (const slice of shapes) {
            add({ ...base, ...count, slice }, { ...base, ...count, slice });
            if (choices.placement !== 'all') continue;
            for (const on of placements(chosen.inner, topology.dimensions)) {
              const fits = placeOnTorus(chosen.inner, shapeOf(slice, topology, twist), on) !== undefined;
              if (fits) add({ ...base, ...count, slice, placement: on }, { ...base, ...count, slice, placement: on });
            }
          }
        });
      }
    }
  }
  if (found.size === 0) throw refusal!;
  return [...found.values()];
}
