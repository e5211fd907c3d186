/** `inspect --scores`: how important everything is that statements rank. */
import { loadModel } from '../backends/onnx/load.ts';
import { nearest } from '../messages/nearest.ts';
import { escaped } from '../report/escape.ts';
import { htmlPage } from '../report/html.ts';
import { scorePictures, scoreTables } from '../report/scores.ts';
import { scoreModel, shownMetrics } from '../tasks/score-model.ts';
import { pipelineOptions, print, printJson, Usage, writeReport, type Flags, type Status } from './shared.ts';
import { progress } from './terminal.ts';

export async function scores(path: string, metric: string | true, flags: Flags): Promise<Status> {
	const known = shownMetrics();
	if (metric !== true && !known.includes(metric))
		throw new Usage(
			`--scores takes a metric behind it, ${known.join(', ')}; not '${metric}'`,
			nearest(metric, known),
		);
	const loaded = loadModel(path);
	try {
		const found = await scoreModel(loaded, {
			...pipelineOptions(flags),
			...(metric !== true && { metric }),
			onProgress: progress.say,
		});
		progress.clear();
		const heading = `<h1>${escaped(path.replace(/^.*[/\\]/, ''))}</h1>`;
		writeReport(flags, () => htmlPage(`${path}, scores`, [heading, scorePictures(found)]));
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/scores@1', ok: true, model: path, ...found }, diagnostics: [] });
		else print(scoreTables(found));
		return 0;
	} finally {
		loaded.file.close();
	}
}
