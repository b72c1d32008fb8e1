/** A machine with some of its rates multiplied: what would be if they were others, or if they are not quite known. */
import type { BytesPerSecond, FlopsPerSecond, Seconds } from '../units.js';
import type { Status } from './names.js';
import type { HardwareDocument } from './schema.js';
import type { Bandwidth, Chip, FusedAttention, Hardware, Host, Topology } from './types.js';

/** What can be multiplied, and what people call it. */
export const RATE_NAMES = {
  compute: 'compute',
  attention: 'fused attention',
  memoryBandwidth: 'memory bandwidth',
  memoryCapacity: 'memory',
  links: 'link bandwidth',
  network: 'network bandwidth',
  hostLink: 'host link bandwidth',
  latency: 'latency',
} as const;
export type RateName = keyof typeof RATE_NAMES;

/** Factors; 1 where absent. */
export type RateFactors = Readonly<Partial<Record<RateName, number>>>;

/**
 * `all` is another machine: its peaks are others, too. `achievable` is the same machine, which reaches more or less of its
 * peaks than its profile says, never more than all.
 */
export type ScaledRates = 'all' | 'achievable';

interface Scale {
  bandwidth(rate: Bandwidth, name: RateName): Bandwidth;
  plain<Q extends number>(value: Q, name: RateName): Q;
}

function scaleOf(factors: RateFactors, what: ScaledRates): Scale {
  const factor = (name: RateName): number => factors[name] ?? 1;
  return {
    bandwidth: ({ peak, achievable }, name) => {
      const scaled = (achievable * factor(name)) as BytesPerSecond;
      if (what === 'all') return { peak: (peak * factor(name)) as BytesPerSecond, achievable: scaled };
      return { peak, achievable: Math.min(scaled, Math.max(peak, achievable)) as BytesPerSecond };
    },
    plain: <Q extends number>(value: Q, name: RateName) => (value * factor(name)) as Q,
  };
}

function scaleChip(chip: Chip, factors: RateFactors, what: ScaledRates): Chip {
  const { bandwidth, plain } = scaleOf(factors, what);
  const matmul = Object.fromEntries(
    Object.entries(chip.matmul).map(([dtype, { peak, achievable, points }]) => {
      const scaled = plain(achievable, 'compute');
      return [
        dtype,
        {
          peak: what === 'all' ? plain(peak, 'compute') : peak,
          achievable: (what === 'all' ? scaled : Math.min(scaled, Math.max(peak, achievable))) as FlopsPerSecond,
          points: points.map((point) => ({ ...point, rate: plain(point.rate, 'compute') })),
        },
      ];
    }),
  );
  const attention = ({ forward, backward, ...rest }: FusedAttention): FusedAttention => ({
    ...rest,
    forward: Math.min(1, plain(forward, 'attention')),
    backward: Math.min(1, plain(backward, 'attention')),
  });
  return {
    ...chip,
    matmul,
    memoryCapacity: plain(chip.memoryCapacity, 'memoryCapacity'),
    memoryBandwidth: bandwidth(chip.memoryBandwidth, 'memoryBandwidth'),
    vectorRate: what === 'all' ? plain(chip.vectorRate, 'compute') : chip.vectorRate,
    ...(chip.fusedAttention === undefined
      ? {}
      : {
          fusedAttention: Object.fromEntries(
            Object.entries(chip.fusedAttention).map(([name, kernel]) => [name, attention(kernel)]),
          ),
        }),
  };
}

function scaleTopology(topology: Topology, factors: RateFactors, what: ScaledRates): Topology {
  const { bandwidth, plain } = scaleOf(factors, what);
  const latency = (value: Seconds): Seconds => plain(value, 'latency');
  switch (topology.kind) {
    case 'torus': {
      const { dataCenterNetwork: between } = topology;
      return {
        ...topology,
        linkPerDirection: bandwidth(topology.linkPerDirection, 'links'),
        hopLatency: latency(topology.hopLatency),
        ...(between === undefined
          ? {}
          : {
              dataCenterNetwork: {
                ...between,
                hostPerDirection: bandwidth(between.hostPerDirection, 'network'),
                latency: latency(between.latency),
              },
            }),
      };
    }
    case 'switch':
    case 'fully-connected': {
      const { network, pairPerDirection } = topology;
      return {
        ...topology,
        nodePerChipPerDirection: bandwidth(topology.nodePerChipPerDirection, 'links'),
        ...(pairPerDirection === undefined ? {} : { pairPerDirection: plain(pairPerDirection, 'links') }),
        nodeLatency: latency(topology.nodeLatency),
        collectiveStart: latency(topology.collectiveStart),
        ...(network === undefined
          ? {}
          : {
              network: {
                ...network,
                cardPerDirection: bandwidth(network.cardPerDirection, 'network'),
                latency: latency(network.latency),
              },
            }),
      };
    }
    case 'shared-memory':
      return {
        ...topology,
        transferPerChip: bandwidth(topology.transferPerChip, 'links'),
        hostMemory: bandwidth(topology.hostMemory, 'memoryBandwidth'),
        messageLatency: latency(topology.messageLatency),
      };
  }
}

function scaleHost(host: Host, factors: RateFactors, what: ScaledRates): Host {
  const { bandwidth, plain } = scaleOf(factors, what);
  return {
    ...host,
    linkPerDirection: bandwidth(host.linkPerDirection, 'hostLink'),
    linkLatency: plain(host.linkLatency, 'latency'),
  };
}

/** The document stays as it was written. */
export const scaleHardware = (hardware: Hardware, factors: RateFactors, what: ScaledRates = 'all'): Hardware => ({
  ...hardware,
  chip: scaleChip(hardware.chip, factors, what),
  topology: scaleTopology(hardware.topology, factors, what),
  ...(hardware.host === undefined ? {} : { host: scaleHost(hardware.host, factors, what) }),
});

/** Where each rate of a profile comes from: the least certain of the numbers behind it. */
export function rateStatuses({
  chip,
  topology,
  host,
  defaultDtype,
}: HardwareDocument): Partial<Record<RateName, Status>> {
  const attention = Object.values(chip.fusedAttention ?? {}).flatMap(({ forward, backward }) => [forward, backward]);
  const [links, network, latencies] =
    topology.kind === 'torus'
      ? [
          topology.linkBandwidthPerDirection,
          topology.dataCenterNetwork?.hostBandwidthPerDirection,
          [topology.hopLatency],
        ]
      : topology.kind === 'shared-memory'
        ? [topology.transferBandwidthPerChip, undefined, [topology.messageLatency]]
        : [
            topology.nodeBandwidthPerChipPerDirection,
            topology.network?.cardBandwidthPerDirection,
            [topology.nodeLatency, topology.collectiveStart, topology.network?.latency],
          ];
  const found: Record<Exclude<RateName, 'memoryCapacity'>, readonly ({ readonly status: Status } | undefined)[]> = {
    compute: [chip.matmul[defaultDtype]?.achievable],
    attention,
    memoryBandwidth: [chip.memory.bandwidth.achievable],
    links: [links.achievable],
    network: [network?.achievable],
    hostLink: [host?.linkBandwidthPerChipPerDirection.achievable],
    latency: latencies,
  };
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, fields]) => {
      const statuses = fields.flatMap((field) => (field === undefined ? [] : [field.status]));
      const least = LEAST_CERTAIN_FIRST.find((status) => statuses.includes(status));
      return least === undefined ? [] : [[name, least]];
    }),
  );
}

const LEAST_CERTAIN_FIRST: readonly Status[] = [
  'assumed',
  'fitted',
  'published',
  'calibrated',
  'measured',
  'datasheet',
];
