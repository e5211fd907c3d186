/**
 * A table of models × what can be pruned: proven, refused and why, or not applicable; as Markdown.
 *
 *     node --import tsx bench/zoo/table.ts docs/zoo.md <folder or model>…
 *     node --import tsx bench/zoo/table.ts docs/zoo-held-out.md <folder or model>…
 *     node --import tsx bench/zoo/table.ts docs/zoo-tokens.md --adaptive <folder or model>…
 *
 * Results are kept beside the table as they come in (`<table>.jsonl`), and a model that is there already is not built again.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { page, type Result } from './page.ts';
import { adaptive, structures, withConsent, type Target } from './targets.ts';
import { modelsIn, Trials } from './trials.ts';

/** What one statement may take. */
const seconds = 600;

const [table = '', ...rest] = process.argv.slice(2);
const trial = rest[0] === adaptive.flag ? adaptive : structures;
const program = { path: fileURLToPath(new URL('one.ts', import.meta.url)), seconds };
const trials = new Trials<Result>(table, program);

for (const path of modelsIn(rest.filter((word) => word !== adaptive.flag))) {
	const model = basename(path, '.onnx');
	const all = trial.targets.flatMap(({ plain, aligned }) => [
		plain,
		...(aligned === undefined ? [] : [aligned]),
	]);
	await trials.build(path, all);
	await trials.build(path, trial.targets.filter((target) => isFrozen(model, target)).map(withConsent));
	writeFileSync(table, page(trial, trials.results, `docs/${basename(table)}`, seconds));
}

/** Whether an input or output is in the way of the most that a target asks for. */
function isFrozen(model: string, { plain, aligned = plain }: Target): boolean {
	const result = trials.results.findLast((one) => one.model === model && one.statement === aligned);
	const stays = result !== undefined && (result.selected ?? 0) === 0;
	return stays && (result.diagnostics ?? []).some((text) => text.includes('is frozen without'));
}
