/** `inspect`, `explain`, `list`: commands that only look. */
import { loadStructure } from '../backends/onnx/load.ts';
import { inspectModel } from '../tasks/examine.ts';
import { noSuchCode } from '../messages/cli.ts';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { nearest } from '../messages/nearest.ts';
import { checkText } from '../recipe-text/check-text.ts';
import { examples } from '../messages/examples.ts';
import { samples } from '../messages/samples.ts';
import { renderDiagnostics } from '../report/diagnostics.ts';
import { catalogue } from '../messages/catalogue.ts';
import { metrics } from '../passes/scores/scores.ts';
import { techniques } from '../passes/table.ts';
import { operatorLines } from '../report/operators.ts';
import { anatomyTable, blockers, count, groupTable, percent, table } from '../report/tables.ts';
import { complain, pipelineOptions, print, printJson, Usage, type Flags, type Status } from './shared.ts';

export function inspect(path: string, flags: Flags): Status {
	const loaded = loadStructure(path);
	try {
		const found = inspectModel(loaded, pipelineOptions(flags).shapes);
		const { anatomy, removable, cost } = found;
		if (flags.json === true) {
			printJson({
				...{
					schema: 'prunec/inspect@1',
					ok: true,
					model: { path, bytes: loaded.file.bytes, ...cost, opset: loaded.model.opsets.get('') ?? 0 },
					removable,
					layers: found.layers,
					groups: found.groups,
					stuck: found.stuck,
					blocked: blockers(anatomy),
				},
				diagnostics: loaded.diagnostics,
			});
			return 0;
		}
		print(
			`${path}: ${loaded.model.graph.nodes.length} nodes, opset ${loaded.model.opsets.get('') ?? 0}, ${count(cost.params)} parameters, ${count(cost.macs)} multiply-adds`,
		);
		print(
			`${count(removable)} of ${count(cost.params)} parameters lie in structures that can be pruned (${percent(removable, cost.params)})\n`,
		);
		print(anatomyTable(anatomy));
		for (const line of blockers(anatomy)) print(line);
		if (found.groups.length + found.stuck.length > 0) print(`\n${groupTable(found)}`);
		complain(loaded.diagnostics);
		return 0;
	} finally {
		loaded.file.close();
	}
}

export function explain(code: string, flags: Flags): Status {
	const found = catalogue.find((definition) => definition.code === code);
	if (found === undefined) {
		const codes = catalogue.map((definition) => definition.code);
		throw new Fault(noSuchCode({ code, near: nearest(code, codes) }));
	}
	const { severity, explain: page } = found;
	const example = examples[code] ?? samples[code]?.text;
	const shown = shownOf(code);
	const where = { file: 'example.prune', text: example ?? '' };
	const rendered = shown.length === 0 ? '' : `\n\nFor example:\n\n${renderDiagnostics(shown, where)}`;
	if (flags.json === true) print(JSON.stringify({ code, severity, explain: page, example }, null, '\t'));
	else print(`${code} (${severity})\n\n${page}${rendered}`);
	return 0;
}

/** What a diagnostic looks like: from a recipe that gets it, else a sample. */
function shownOf(code: string): readonly Diagnostic[] {
	const [example, sample] = [examples[code], samples[code]];
	if (example !== undefined) return checkText(example).diagnostics.filter((one) => one.code === code);
	return sample === undefined ? [] : [sample.diagnostic];
}

const lists: Readonly<Record<string, () => readonly (readonly string[])[]>> = {
	techniques: () => [
		['technique', 'example', 'what it does'],
		...techniques.map(({ words }) => [words.name, words.example, words.summary]),
	],
	metrics: () => [
		['metric', 'needs', 'what it is'],
		...metrics.map(({ name, needs, summary }) => [name, needs, summary]),
	],
	ops: () => [
		['operator', 'domain', 'note', 'row'],
		...operatorLines().map(({ operator, domain, note, row }) => [operator, domain, note, row]),
	],
	codes: () => [['code', 'severity'], ...catalogue.map(({ code, severity }) => [code, severity]).sort()],
};

export function list(what: string, flags: Flags): Status {
	const rows = lists[what]?.();
	if (rows === undefined)
		throw new Usage(
			`there is no list '${what}': techniques, metrics, ops, codes`,
			nearest(what, Object.keys(lists)),
		);
	const [names = [], ...entries] = rows;
	if (flags.json === true)
		print(
			JSON.stringify(
				entries.map((entry) => Object.fromEntries(names.map((name, at) => [name, entry[at] ?? '']))),
				null,
				'\t',
			),
		);
	else print(table(rows));
	return 0;
}
