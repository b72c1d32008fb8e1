/** The links of flows, in compressed sparse rows: those of flow f are `links[starts[f]]` up to `links[starts[f + 1]]`. */
export interface Paths {
  readonly starts: Int32Array;
  readonly links: Int32Array;
}

export const pathCount = ({ starts }: Paths): number => starts.length - 1;

export function pathsFrom<T>(flows: readonly T[], linksOf: (flow: T, index: number) => ArrayLike<number>): Paths {
  const starts = new Int32Array(flows.length + 1);
  let links = new Int32Array(4 * flows.length);
  let end = 0;
  for (let flow = 0; flow < flows.length; flow++) {
    const path = linksOf(flows[flow]!, flow);
    if (end + path.length > links.length) {
      const longer = new Int32Array(2 * links.length + path.length);
      longer.set(links);
      links = longer;
    }
    for (let at = 0; at < path.length; at++) links[end++] = path[at]!;
    starts[flow + 1] = end;
  }
  return { starts, links: links.slice(0, end) };
}

export const somePaths = ({ starts, links }: Paths, flows: readonly number[]): Paths =>
  pathsFrom(flows, (flow) => links.subarray(starts[flow], starts[flow + 1]));

/** One after the other. */
export function joinPaths(all: readonly Paths[]): Paths {
  const starts = new Int32Array(all.reduce((total, paths) => total + pathCount(paths), 0) + 1);
  const links = new Int32Array(all.reduce((total, paths) => total + paths.links.length, 0));
  let flow = 0;
  let end = 0;
  for (const paths of all) {
    links.set(paths.links, end);
    for (let at = 1; at < paths.starts.length; at++) starts[++flow] = end + paths.starts[at]!;
    end += paths.links.length;
  }
  return { starts, links };
}
