import { readComparison } from '../comparison.js';
import { printRun } from '../comparison-view.js';
import { describeDrift, driftOfVersion } from '../feedback.js';
import { printJson, printLine } from '../output.js';
import { readRanks } from '../rank-report.js';
import { reportOnRun } from '../run-report.js';
import { hardwareText } from '../stored-hardware.js';

/** `meshwright compare RUN…`: predicted against measured, and where the difference comes from. */
export function compare(folders: readonly string[], flags: { readonly json?: boolean }): void {
  const runs = folders.map((folder) => {
    const report = reportOnRun(readComparison(folder), readRanks(folder));
    const { hardwareVersion: version } = report;
    return { folder, report, drift: version == null ? null : driftOfVersion(version.name, version.version) };
  });
  if (flags.json) {
    printJson({
      schema: 'meshwright/comparisons@1',
      runs: runs.map(({ folder, report, drift }) => ({ runFolder: folder, ...report, drift })),
    });
    return;
  }
  runs.forEach(({ folder, report, drift }, index) => {
    if (index > 0) printLine();
    const { model, chips, hardware, hardwareVersion = null, batch } = report;
    printLine(`${folder}: ${model} on ${chips} × ${hardwareText(hardware, hardwareVersion)}, batch ${batch}`);
    printLine();
    printRun(report);
    if (drift !== null) printLine(describeDrift(drift, hardwareText(hardware, hardwareVersion)));
  });
}
