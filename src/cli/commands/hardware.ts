import { MeshwrightError } from '../../errors.js';
import { listHardware, loadHardware } from '../../hardware/index.js';
import { bytes, formatBytes, formatBytesPerSecond, formatFlopsPerSecond, formatPercent } from '../../units.js';
import type { Devices } from '../devices.js';
import { findDevices } from '../devices.js';
import { describeHardware, hardwareVersion, storedHardware, storedNames } from '../stored-hardware.js';
import { printJson, printLine, printTable } from '../output.js';

/** By name, version or path. */
function loadNamed(name: string) {
  const hardwareName = storedHardware(name);
  return { hardwareName, hardware: loadHardware(hardwareName) };
}

export interface HardwareFlags {
  readonly json?: boolean;
  readonly local?: boolean;
}

/** `meshwright hardware [NAME]`: the shipped profiles, all numbers of one with their sources, or this machine's devices. */
export async function hardware(name: string | undefined, flags: HardwareFlags): Promise<void> {
  if (flags.local) {
    if (name !== undefined) {
      throw new MeshwrightError('USAGE', {
        place: 'command line',
        expected: 'a profile, or --local for the devices of this machine',
        got: `${name} --local`,
      });
    }
    const devices = await findDevices();
    if (flags.json) printJson(devices);
    else printDevices(devices);
    return;
  }
  if (name !== undefined) {
    const found = loadNamed(name);
    const { document } = found.hardware;
    if (flags.json) printJson(document);
    else {
      if (hardwareVersion(found) !== null) printLine(`${describeHardware(found)}: ${found.hardwareName}\n`);
      printNumbers(document);
    }
    return;
  }
  const found = [...new Set([...listHardware(), ...storedNames()])].sort().map(loadNamed);
  const profiles = found.map((one) => one.hardware);
  if (flags.json) {
    printJson({
      schema: 'meshwright/hardware-list@1',
      hardware: profiles.map(({ document }) => document),
      hardwareVersions: found.map(hardwareVersion),
    });
    return;
  }
  printTable(
    ['hardware', 'type', 'peak', 'memory', 'memory bandwidth', 'topology', 'about'],
    found.map(({ hardwareName, hardware: { name: known, chip, defaultDtype, topology, title } }) => [
      versioned(known, hardwareName),
      defaultDtype,
      formatFlopsPerSecond(chip.matmul[defaultDtype]!.peak),
      formatBytes(chip.memoryCapacity),
      formatBytesPerSecond(chip.memoryBandwidth.peak),
      topology.kind,
      title,
    ]),
    [2, 3, 4],
  );
}

const versioned = (name: string, hardwareName: string): string => {
  const version = hardwareVersion({ hardwareName });
  return version === null ? name : `${name}@${version.version}`;
};

function printDevices({ processor, cores, memoryBytes, system, node, families }: Devices): void {
  printLine(`${processor}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${formatBytes(bytes(memoryBytes))} of memory`);
  printLine(`${system}, Node ${node}`);
  printLine();
  printTable(
    ['family', 'computes on', 'types', 'what it is'],
    families.map(({ name, device, dtypes, title }) => [name, device ?? 'missing', dtypes.join(' '), title]),
  );
  printLine();
  printLine('meshwright profile measures them, for predictions of this machine');
  for (const { name, missing } of families) {
    if (missing === null) continue;
    printLine();
    printLine(`${name}: ${missing.why}`);
    printLine(`  needs ${missing.needs}`);
  }
}

/** How a number is known, and how well it repeats where that was measured. */
function statusOf({ status, repeatability }: { readonly status: unknown; readonly repeatability?: unknown }): string {
  return typeof repeatability === 'number'
    ? `${String(status)}, repeats within ${formatPercent(repeatability)}`
    : String(status);
}

/** Every `{ value, source, status }` of a profile by its path, and lists of numbers from one source. */
function printNumbers(document: unknown): void {
  const rows: string[][] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('value' in value && 'source' in value && 'status' in value) {
      rows.push([path, JSON.stringify(value.value).replaceAll('"', ''), statusOf(value), String(value.source)]);
      return;
    }
    if ('values' in value && Array.isArray(value.values) && 'source' in value && 'status' in value) {
      const { values, status, source } = value;
      const own = values.flatMap((one: { repeatability?: number }) => one.repeatability ?? []).sort((a, b) => a - b);
      const repeatability = own[own.length >> 1];
      rows.push([path, `${values.length} values`, statusOf({ status, repeatability }), String(source)]);
      return;
    }
    for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}.${key}`);
  };
  visit(document, '');
  for (const [path, amount, status, source] of rows) {
    printLine(`${path} = ${amount}  (${status})`);
    printLine(`    ${source}`);
  }
}
