/** In which order a mesh's axes are dealt to chips that are numbered node after node. */
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { axesInOrder, axisSize, coordinate, rankCount } from '../../src/mesh/index.js';

const isUsual = ({ axes }: Mesh, order: readonly AxisName[]): boolean =>
  order.every((name, index) => name === axes[index]!.name);

/** @returns the chip of a rank */
export function dealt(mesh: Mesh, named?: readonly AxisName[]): (rank: number) => number {
  const order = axesInOrder(mesh, named);
  if (isUsual(mesh, order)) return (rank) => rank;
  const chips = Int32Array.from({ length: rankCount(mesh) }, (_, rank) =>
    order.reduce((chip, name) => chip * axisSize(mesh, name) + coordinate(mesh, rank, name), 0),
  );
  return (rank) => chips[rank]!;
}

/** The orders that may be tried: the mesh's own first, then each axis innermost; or every one. */
export function axisOrders(mesh: Mesh, how: 'innermost' | 'all'): readonly AxisName[][] {
  const own = mesh.axes.map(({ name }) => name);
  if (how === 'innermost') {
    const others = own.slice(0, -1).toReversed();
    return [[], ...others.map((name) => [name])];
  }
  const permutations = (names: readonly AxisName[]): AxisName[][] =>
    names.length <= 1
      ? [[...names]]
      : names.flatMap((first) => permutations(names.filter((name) => name !== first)).map((rest) => [first, ...rest]));
  return [[], ...permutations(own).filter((order) => !isUsual(mesh, order))];
}
