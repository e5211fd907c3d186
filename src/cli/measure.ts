/** `verify` and `bench`: commands that compare models by running them. */
import { loadModel, type Loaded } from '../backends/onnx/load.ts';
import { timeModels, type Timing } from '../backends/ort/latency.ts';
import { applyPlan } from '../compile.ts';
import { driftBetween } from '../tasks/examine.ts';
import { buildReport } from '../report/build.ts';
import { table } from '../report/tables.ts';
import { timeOnData, type TimedOnData } from '../tasks/time-data.ts';
import {
	complain,
	pipelineOptions,
	print,
	printJson,
	statusOf,
	whole,
	type Flags,
	type Status,
} from './shared.ts';
import { progress } from './terminal.ts';

/** With a plan: proves again what the build proved. Without: how far the outputs are apart, and says that this is all. */
export async function verify(original: string, pruned: string, flags: Flags): Promise<Status> {
	if (flags.plan !== undefined) return provePlan(flags.plan, original, pruned, flags);
	const drift = await driftBetween(original, pruned, pipelineOptions(flags));
	if (flags.json === true) printJson({ ...{ schema: 'prunec/verify@1', ok: true, drift }, diagnostics: [] });
	else
		print(
			`${buildReport({ steps: [], drift, expectations: [], inputs: 'the same for both' }).trim()}\nwithout --plan this shows how far the two are apart, not that the rewrite is right`,
		);
	return 0;
}

/** The plan is carried out and proven on the original again, and the pruned file must hold what comes out. */
async function provePlan(plan: string, original: string, pruned: string, flags: Flags): Promise<Status> {
	const options = { ...pipelineOptions(flags), onProgress: progress.say };
	const document = await applyPlan(plan, { ...options, model: original, against: pruned });
	progress.clear();
	if (flags.json === true) printJson(document);
	else {
		if (document.model !== undefined) print(buildReport(document));
		complain(document.diagnostics);
	}
	return statusOf(document.diagnostics, document.ok);
}

export async function bench(paths: readonly string[], flags: Flags): Promise<Status> {
	if (flags.data !== undefined) return benchOnData(paths, flags.data, flags);
	const { shapes = new Map<string, number[]>(), threads = 2, samples = 15 } = pipelineOptions(flags);
	const loaded: Loaded[] = [];
	try {
		for (const path of paths) loaded.push(loadModel(path));
		const models = loaded.map(({ model }) => model);
		const times = await timeModels(models, shapes, threads, samples);
		const rows = times.map((time, at) => ({ path: paths[at] ?? '', ...time }));
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/bench@1', ok: true, models: rows }, diagnostics: [] });
		else print(benchTable(rows));
		return 0;
	} finally {
		for (const { file } of loaded) file.close();
	}
}

/** On data: mean and 95th percentile, and for models whose work depends on the input what they did. */
async function benchOnData(paths: readonly string[], path: string, flags: Flags): Promise<Status> {
	const { shapes, threads = 2 } = pipelineOptions(flags);
	const loaded: Loaded[] = [];
	try {
		for (const one of paths) loaded.push(loadModel(one));
		const { words, examples, models } = await timeOnData(
			loaded.map(({ model }) => model),
			{
				...{ path, modelPath: paths[0] ?? '', threads, onProgress: progress.say },
				...(shapes && { shapes }),
				...(flags.tokens !== undefined && { tokens: whole('tokens', flags.tokens) }),
				...(flags.take !== undefined && { take: whole('take', flags.take) }),
			},
		);
		progress.clear();
		const rows = models.map((model, at) => ({ path: paths[at] ?? '', ...model }));
		if (flags.json === true)
			printJson({
				...{ schema: 'prunec/bench@1', ok: true, data: words, examples, models: rows },
				diagnostics: [],
			});
		else print(`${onDataTable(rows)}\n${words}`);
		return 0;
	} finally {
		for (const { file } of loaded) file.close();
	}
}

function onDataTable(rows: readonly (TimedOnData & { readonly path: string })[]): string {
	const share = (value: number | undefined): string =>
		value === undefined ? '' : `${(100 * value).toFixed(2)}%`;
	return table([
		['model', 'mean ms', 'p95 ms', 'times as fast', 'agrees', 'leaves after layer'],
		...rows.map(({ path, meanMs, p95Ms, speedUp, agreement, exits = [] }) => [
			path,
			...[meanMs, p95Ms].map((ms) => ms.toFixed(2)),
			speedUp.toFixed(2),
			share(agreement),
			exits.map((exit) => `${exit.layer}: ${share(exit.share)}`).join(', '),
		]),
	]);
}

function benchTable(rows: readonly (Timing & { readonly path: string })[]): string {
	return table([
		['model', 'median ms', 'least', 'most', 'ratio'],
		...rows.map(({ path, medianMs, minMs, maxMs, ratio }) => [
			path,
			...[medianMs, minMs, maxMs].map((ms) => ms.toFixed(2)),
			ratio.toFixed(3),
		]),
	]);
}
