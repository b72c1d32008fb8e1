import { listHardware, loadHardware } from '../../hardware/index.js';
import { formatBytes, formatBytesPerSecond, formatFlopsPerSecond } from '../../units.js';
import { printJson, printLine, printTable } from '../output.js';

/** `meshwright hardware [NAME]`: the shipped profiles, or all numbers of one with their sources. */
export function hardware(name: string | undefined, flags: { readonly json?: boolean }): void {
  if (name !== undefined) {
    const { document } = loadHardware(name);
    if (flags.json) printJson(document);
    else printNumbers(document);
    return;
  }
  const profiles = listHardware().map((known) => loadHardware(known));
  if (flags.json) {
    printJson({ schema: 'meshwright/hardware-list@1', hardware: profiles.map(({ document }) => document) });
    return;
  }
  printTable(
    ['hardware', 'type', 'peak', 'memory', 'memory bandwidth', 'topology', 'about'],
    profiles.map(({ name: known, chip, defaultDtype, topology, title }) => [
      known,
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

/** Every `{ value, source, status }` of a profile by its path. */
function printNumbers(document: unknown): void {
  const rows: string[][] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('value' in value && 'source' in value && 'status' in value) {
      rows.push([path, JSON.stringify(value.value).replaceAll('"', ''), String(value.status), String(value.source)]);
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
