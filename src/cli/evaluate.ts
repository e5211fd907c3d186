/** `evaluate`: how good models are on data, side by side. */
import { loadModel } from '../backends/onnx/load.ts';
import { evaluateModels } from '../tasks/evaluate.ts';
import { qualityReport } from '../report/quality.ts';
import { pipelineOptions, print, printJson, Usage, whole, type Flags, type Status } from './shared.ts';
import { progress } from './terminal.ts';

export async function evaluate(paths: readonly string[], flags: Flags): Promise<Status> {
	const { data, shapes, threads, seed } = pipelineOptions(flags);
	if (data === undefined) throw new Usage('--data PATH is missing');
	const loaded = paths.map((path) => loadModel(path));
	try {
		const { words, ...evaluated } = await evaluateModels(
			loaded.map(({ model }, at) => ({ name: paths[at] ?? '', model })),
			{
				path: data,
				modelPath: paths[0] ?? '',
				onProgress: progress.say,
				...(shapes && { shapes }),
				...(threads !== undefined && { threads }),
				...(seed !== undefined && { seed }),
				...(flags.take !== undefined && { take: whole('take', flags.take) }),
				...(flags.tokens !== undefined && { tokens: whole('tokens', flags.tokens) }),
				...(flags.metric !== undefined && { metrics: flags.metric.split(',') }),
				...(flags.dictionary !== undefined && { dictionary: flags.dictionary }),
			},
		);
		progress.clear();
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/evaluate@1', ok: true, data: words, ...evaluated }, diagnostics: [] });
		else print(qualityReport(words, evaluated.metrics));
		return 0;
	} finally {
		for (const { file } of loaded) file.close();
	}
}
