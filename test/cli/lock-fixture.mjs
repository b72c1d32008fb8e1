/** A process that tries to have a run folder whenever it is told to, and gives it back when it is told to; or makes one. */
import process from 'node:process';
import { createFreeRunFolder } from '../../dist/src/cli/run-folder.js';
import { holdingRuns } from '../../dist/src/cli/run-lock.js';

let giveBack = () => undefined;

process.on('message', (folder) => {
  if (folder === '') return giveBack();
  if (folder.endsWith('/new')) return process.send(createFreeRunFolder(folder).folder);
  void holdingRuns(async (hold) => {
    hold(folder);
    process.send('has it');
    await new Promise((resolve) => (giveBack = resolve));
  }).then(
    () => process.send('gave it back'),
    (error) => process.send(error.message),
  );
});
process.on('disconnect', () => process.exit());
