/** Which jobs are fitted: those that together show most of what there is, one after the other, decided before anything is measured. */
import type { BenchJob } from './jobs.js';

/** What a job shows besides its family, for which everything is apart: its model, its ranks, its axes and options. */
function shown({ model, ranks, plan, family }: BenchJob): string[] {
  const [mesh, ...options] = plan.split(' ') as [string, ...string[]];
  const axes = mesh.split(',').filter((axis) => !axis.endsWith('=1'));
  const parts = [model, `${ranks} ranks`, ...axes, ...options.filter((option) => option !== 'microbatches=1')];
  return parts.map((part) => `${family} ${part}`);
}

/** @param count of them in all, shared among families as jobs are */
export function chooseFitted(jobs: readonly BenchJob[], count: number): BenchJob[] {
  const seen = new Set<string>();
  const chosen: BenchJob[] = [];
  const families = [...new Set(jobs.map(({ family }) => family))];
  const shareOf = (family: string): number =>
    Math.round((count * jobs.filter((job) => job.family === family).length) / jobs.length);
  for (const family of families) {
    const own = jobs.filter((job) => job.family === family);
    for (let index = 0; index < shareOf(family); index++) {
      const news = (job: BenchJob): number => shown(job).filter((part) => !seen.has(part)).length;
      // Of each number of ranks as many as it has jobs, so that what ranks slow each other is seen of each.
      const lack = (ranks: number): number => {
        const of = own.filter((job) => job.ranks === ranks);
        return (of.filter((job) => chosen.includes(job)).length + 1 / 2) / of.length;
      };
      const ranks = [...new Set(own.map((job) => job.ranks))].reduce((a, b) => (lack(b) < lack(a) ? b : a));
      const left = own.filter((job) => job.ranks === ranks && !chosen.includes(job));
      const next = left.reduce((best, job) => (news(job) > news(best) ? job : best));
      chosen.push(next);
      shown(next).forEach((part) => seen.add(part));
    }
  }
  return chosen;
}
