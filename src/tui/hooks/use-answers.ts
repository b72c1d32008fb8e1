/** Asks for what the state wants to know beside its work: one look at a time, files once, each job to write. */
import { useEffect, useRef } from 'react';
import type { Services } from '../services.js';
import type { WantedLook } from '../state/plans.js';
import type { Answer, JobToWrite } from '../state/types.js';
import { asFailure } from './use-work.js';

type Tell = (answer: Answer) => void;

function useFiles(services: Services, tell: Tell): void {
  useEffect(() => {
    let left = false;
    services.files().then(
      (files) => {
        if (!left) tell({ type: 'files', ...files });
      },
      // Nobody asked for them by name.
      () => undefined,
    );
    return () => {
      left = true;
    };
  }, [services, tell]);
}

const keyOf = (look: WantedLook | undefined): string | undefined =>
  look && JSON.stringify([look.task, look.label, look.window]);

/** The next look begins when the last is answered, and is the one that is wanted then. */
function useLooks(services: Services, wanted: WantedLook | undefined, tell: Tell): void {
  const latest = useRef(wanted);
  const isLooking = useRef(false);
  useEffect(() => {
    latest.current = wanted;
  });
  const key = keyOf(wanted);
  useEffect(() => {
    if (isLooking.current) return;
    const look = async (): Promise<void> => {
      isLooking.current = true;
      let at = latest.current;
      while (at !== undefined) {
        const { task, label, window } = at;
        const found = await services.look(task, label, window).catch((error: unknown) => asFailure(error, 'look'));
        tell({ type: 'looked', at, look: found });
        // What is wanted after the answer comes with the next render; what is wanted already would not.
        at = keyOf(latest.current) === keyOf(at) ? undefined : latest.current;
      }
      isLooking.current = false;
    };
    void look();
  }, [services, key, tell]);
}

function useWriting(services: Services, job: JobToWrite | undefined, tell: Tell): void {
  useEffect(() => {
    if (job === undefined) return;
    services.writeJob(job.task, job.label, job.path).then(
      () => tell({ type: 'written', job }),
      (error: unknown) => tell({ type: 'written', job, error: asFailure(error, job.path) }),
    );
  }, [services, job, tell]);
}

export function useAnswers(
  services: Services,
  asked: { readonly look: WantedLook | undefined; readonly toWrite: JobToWrite | undefined },
  tell: Tell,
): void {
  useFiles(services, tell);
  useLooks(services, asked.look, tell);
  useWriting(services, asked.toWrite, tell);
}
