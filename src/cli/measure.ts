/** `verify` and `bench`: commands that compare models by running them. */
import { loadModel } from '../backends/onnx/load.ts';
import { timeModels } from '../backends/ort/latency.ts';
import { applyPlan } from '../compile.ts';
import { driftBetween } from '../examine.ts';
import { buildReport } from '../report/build.ts';
import { table } from '../report/tables.ts';
import { complain, pipelineOptions, print, printJson, statusOf, type Flags, type Status } from './shared.ts';

/** With a plan: proves again what the build proved. Without: how far the outputs are apart, and says that this is all. */
export async function verify(original: string, pruned: string, flags: Flags): Promise<Status> {
	const options = pipelineOptions(flags);
	if (flags.plan !== undefined) {
		const document = await applyPlan(flags.plan, { ...options, model: original });
		if (flags.json === true) printJson(document);
		else {
			print(buildReport(document));
			complain(document.diagnostics);
		}
		return statusOf(document.diagnostics, document.ok);
	}
	const drift = await driftBetween(original, pruned, options);
	if (flags.json === true) printJson({ ...{ schema: 'prunec/verify@1', ok: true, drift }, diagnostics: [] });
	else
		print(
			`${buildReport({ steps: [], drift, expectations: [], inputs: 'the same for both' }).trim()}\nwithout --plan this shows how far the two are apart, not that the rewrite is right`,
		);
	return 0;
}

export async function bench(paths: readonly string[], flags: Flags): Promise<Status> {
	const options = pipelineOptions(flags);
	const loaded = paths.map((path) => loadModel(path));
	try {
		const times = await timeModels(
			loaded.map(({ model }) => model),
			options.shapes ?? new Map(),
			options.threads ?? 2,
			options.samples ?? 15,
		);
		if (flags.json === true)
			print(
				JSON.stringify(
					{ schema: 'prunec/bench@1', models: times.map((time, at) => ({ path: paths[at], ...time })) },
					null,
					'\t',
				),
			);
		else
			print(
				table([
					['model', 'median ms', 'least', 'most', 'ratio'],
					...times.map((time, at) => [
						paths[at] ?? '',
						...[time.medianMs, time.minMs, time.maxMs].map((ms) => ms.toFixed(2)),
						time.ratio.toFixed(3),
					]),
				]),
			);
		return 0;
	} finally {
		loaded.forEach(({ file }) => {
			file.close();
		});
	}
}
