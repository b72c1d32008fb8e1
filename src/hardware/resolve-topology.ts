/** How chips are joined, from a checked document. */
import { MeshwrightError } from '../errors.js';
import type { BytesPerSecond, Seconds } from '../units.js';
import { parseQuantity, seconds } from '../units.js';
import type { Path } from '../source.js';
import { bandwidth, positive } from './resolve-quantity.js';
import type { Place } from './resolve-quantity.js';
import type { HardwareDocument, RateField } from './schema.js';
import type { Bandwidth, CardNetwork, DataCenterNetwork, Topology, Wraparound } from './types.js';

type Document<K> = Extract<HardwareDocument['topology'], { kind: K }>;

/** Reads quantities at places below `topology`. */
interface Reader {
  rate(field: RateField, ...path: string[]): Bandwidth;
  time(field: { readonly value: unknown }, ...path: string[]): Seconds;
  bytesPerSecond(field: { readonly value: unknown }, ...path: string[]): BytesPerSecond;
  invalid(path: Path, expected: string, got: unknown): MeshwrightError;
}

function readerOf(place: Place): Reader {
  const at = (path: Path): Path => ['topology', ...path];
  return {
    rate: (field, ...path) => bandwidth(field, at(path), place),
    time: ({ value }, ...path) => parseQuantity(value, 'time', place(at([...path, 'value']))),
    bytesPerSecond: ({ value }, ...path) => parseQuantity(value, 'bytesPerSecond', place(at([...path, 'value']))),
    invalid: (path, expected, got) =>
      new MeshwrightError('HARDWARE_INVALID', {
        place: place(at(path)),
        expected,
        got: JSON.stringify(got) ?? 'nothing',
      }),
  };
}

function resolveWraparound({ wraparound, dimensions }: Document<'torus'>, { invalid }: Reader): Wraparound {
  const { rule, multiple, dimensions: listed } = wraparound;
  const needsMultiple = rule === 'every-axis' || rule === 'per-axis';
  if (needsMultiple !== (multiple !== undefined)) {
    const expected = needsMultiple
      ? `the multiple that lengths of rings are of, with rule ${rule}`
      : `no multiple, which rule ${rule} does not ask for`;
    throw invalid(['wraparound', 'multiple'], expected, multiple?.value);
  }
  if ((rule === 'listed') !== (listed !== undefined)) {
    const expected = rule === 'listed' ? 'which dimensions wrap, as in [true, true, false]' : `none with rule ${rule}`;
    throw invalid(['wraparound', 'dimensions'], expected, listed?.value);
  }
  if (listed !== undefined && listed.value.length !== dimensions.value) {
    throw invalid(
      ['wraparound', 'dimensions', 'value'],
      `true or false for ${dimensions.value} dimensions`,
      listed.value,
    );
  }
  return {
    rule,
    multiple: multiple?.value ?? 1,
    ...(listed === undefined ? {} : { dimensions: listed.value }),
  };
}

function resolveTorus(topology: Document<'torus'>, reader: Reader): Topology {
  const dimensions = topology.dimensions.value;
  const largestSlice = topology.largestSlice.value;
  if (largestSlice.length !== dimensions) {
    throw reader.invalid(['largestSlice', 'value'], `${dimensions} lengths`, largestSlice);
  }
  const wraparound = resolveWraparound(topology, reader);
  const canTwist = topology.canTwist?.value ?? false;
  if (canTwist && (dimensions < 2 || wraparound.rule === 'none' || wraparound.dimensions?.includes(false) === true)) {
    const expected = 'false where not all of two or more dimensions can wrap: it is wrapped links that are twisted';
    throw reader.invalid(['canTwist', 'value'], expected, true);
  }
  const { dataCenterNetwork: joined } = topology;
  const at = 'dataCenterNetwork';
  const dataCenterNetwork: DataCenterNetwork | undefined = joined && {
    chipsPerHost: joined.chipsPerHost.value,
    hostPerDirection: reader.rate(joined.hostBandwidthPerDirection, at, 'hostBandwidthPerDirection'),
    latency: reader.time(joined.latency, at, 'latency'),
    mostSlices: joined.mostSlices.value,
  };
  return {
    kind: 'torus',
    dimensions,
    largestSlice,
    linkPerDirection: reader.rate(topology.linkBandwidthPerDirection, 'linkBandwidthPerDirection'),
    hopLatency: reader.time(topology.hopLatency, 'hopLatency'),
    wraparound,
    multiAxisShare: topology.multiAxisShare?.value ?? 1,
    canTwist,
    ...(dataCenterNetwork === undefined ? {} : { dataCenterNetwork }),
  };
}

type NodeDocument = Document<'switch'> | Document<'fully-connected'>;

function resolveNetwork({ network, chipsPerNode }: NodeDocument, reader: Reader): CardNetwork | undefined {
  if (network === undefined) return undefined;
  const [cards, chips] = [network.cardsPerNode.value, chipsPerNode.value];
  if (cards % chips !== 0 && chips % cards !== 0) {
    const expected = `a count that divides the ${chips} chips of a node, or a multiple of it, so that all fare alike`;
    throw reader.invalid(['network', 'cardsPerNode', 'value'], expected, cards);
  }
  const { fatTree } = network;
  return {
    cardsPerNode: cards,
    cardPerDirection: reader.rate(network.cardBandwidthPerDirection, 'network', 'cardBandwidthPerDirection'),
    latency: reader.time(network.latency, 'network', 'latency'),
    reducesInSwitch: network.inSwitchReduction?.value ?? false,
    ...(fatTree === undefined
      ? {}
      : {
          fatTree: {
            nodesPerLeaf: fatTree.nodesPerLeaf.value,
            rails: fatTree.rails.value,
            oversubscription: fatTree.oversubscription.value,
          },
        }),
  };
}

function resolveNodes(topology: NodeDocument, reader: Reader): Topology {
  const network = resolveNetwork(topology, reader);
  return {
    kind: topology.kind,
    chipsPerNode: topology.chipsPerNode.value,
    nodePerChipPerDirection: reader.rate(topology.nodeBandwidthPerChipPerDirection, 'nodeBandwidthPerChipPerDirection'),
    nodeLatency: reader.time(topology.nodeLatency, 'nodeLatency'),
    ...(topology.pairBandwidthPerDirection === undefined
      ? {}
      : { pairPerDirection: reader.bytesPerSecond(topology.pairBandwidthPerDirection, 'pairBandwidthPerDirection') }),
    collectiveStart:
      topology.collectiveStart === undefined ? seconds(0) : reader.time(topology.collectiveStart, 'collectiveStart'),
    reducesInSwitch: topology.kind === 'switch' && (topology.inSwitchReduction?.value ?? false),
    ...(network === undefined ? {} : { network }),
  };
}

/** What was measured at several numbers of ranks. */
function measuredByRanks({ contention, transfers, transferEfforts, waits }: Document<'shared-memory'>, place: Place) {
  const at = (index: number, name: string) => place(['topology', 'transfers', 'values', index, name]);
  return {
    ...(contention === undefined
      ? {}
      : { contention: contention.values.map(({ ranks, work, factor }) => ({ ranks, work, factor })) }),
    ...(transfers === undefined
      ? {}
      : {
          transfers: transfers.values.map(({ ranks, bandwidth: rate, latency }, index) => ({
            ranks,
            bandwidth: positive(rate, 'bytesPerSecond', at(index, 'bandwidth')),
            latency: parseQuantity(latency, 'time', at(index, 'latency')),
          })),
        }),
    ...(waits === undefined
      ? {}
      : {
          waits: waits.values.map(({ ranks, start, walk }, index) => ({
            ranks,
            start: parseQuantity(start, 'time', place(['topology', 'waits', 'values', index, 'start'])),
            walk: parseQuantity(walk, 'time', place(['topology', 'waits', 'values', index, 'walk'])),
          })),
        }),
    ...(transferEfforts === undefined
      ? {}
      : {
          transferEfforts: Object.fromEntries(
            transferEfforts.values.map(({ collective, effort }) => [collective, effort]),
          ),
        }),
  };
}

/** @throws MeshwrightError QUANTITY_INVALID, HARDWARE_INVALID, with the file and line */
export function resolveTopology({ topology }: HardwareDocument, place: Place): Topology {
  const reader = readerOf(place);
  switch (topology.kind) {
    case 'torus':
      return resolveTorus(topology, reader);
    case 'switch':
    case 'fully-connected':
      return resolveNodes(topology, reader);
    case 'shared-memory':
      return {
        kind: 'shared-memory',
        cores: topology.cores.value,
        busyCoreRateFraction: topology.busyCoreRateFraction.value,
        transferPerChip: reader.rate(topology.transferBandwidthPerChip, 'transferBandwidthPerChip'),
        messageLatency: reader.time(topology.messageLatency, 'messageLatency'),
        hostMemory: reader.rate(topology.hostMemoryBandwidth, 'hostMemoryBandwidth'),
        collectiveStart:
          topology.collectiveStart === undefined
            ? seconds(0)
            : reader.time(topology.collectiveStart, 'collectiveStart'),
        ...measuredByRanks(topology, place),
      };
  }
}
