/** What the UI asks of a thread of its own beside the search: a plan looked at closely, the files of a folder. */
import { dirname } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { formatJob } from '../job/index.js';
import type { PlanLook, TaskChoice, TimeWindow } from '../tui/services.js';
import { Assessor } from './assess.js';
import type { FoundFiles } from './found-files.js';
import { findFiles, shippedHardware } from './found-files.js';
import { PlanLooker } from './plan-look.js';
import { writeNew } from './run-folder.js';
import { byName, storedHardware } from './stored-hardware.js';
import { jobOfLabel } from './task-choice.js';

export type LookRequest =
  | { readonly kind: 'look'; readonly task: TaskChoice; readonly label: string; readonly window: TimeWindow }
  | { readonly kind: 'files'; readonly folder: string }
  | { readonly kind: 'write'; readonly task: TaskChoice; readonly label: string; readonly path: string };

export interface LookAnswers {
  readonly look: PlanLook;
  readonly files: FoundFiles;
  readonly write: { readonly written: string };
}

/** Errors lose their class on the way between threads, so they travel as data. */
export type LookOutcome<Kind extends keyof LookAnswers = keyof LookAnswers> =
  { readonly answer: LookAnswers[Kind] } | { readonly code: ErrorCode; readonly detail: ErrorDetail };

/** @returns one that keeps what it last looked at */
export function createLook(): (request: LookRequest) => Promise<LookOutcome> {
  const looker = new PlanLooker(new Assessor({ unverified: true }));
  return async (request) => {
    try {
      if (request.kind === 'files') {
        const { models, hardware } = await findFiles(request.folder);
        return { answer: { models, hardware: [...shippedHardware(), ...hardware] } };
      }
      if (request.kind === 'write') {
        const { task, label, path } = request;
        writeNew(path, formatJob(byName(jobOfLabel(task, label)), dirname(path)));
        return { answer: { written: path } };
      }
      const { task, label, window } = request;
      // A profile's name may mean another version by now.
      const key = JSON.stringify([task, label, storedHardware(task.hardware)]);
      return { answer: looker.look(key, () => jobOfLabel(task, label), window) };
    } catch (error) {
      if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
      throw error;
    }
  };
}
