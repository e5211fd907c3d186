/** `split`: a model with exits as one file a stage. */
import { loadModel } from '../backends/onnx/load.ts';
import { table } from '../report/tables.ts';
import { splitModel, type Split } from '../tasks/split.ts';
import { pipelineOptions, print, printJson, Usage, type Flags, type Status } from './shared.ts';

export async function split(path: string, flags: Flags): Promise<Status> {
	const { out, force, shapes, threads = 2, samples = 4, seed = 0 } = pipelineOptions(flags);
	if (out === undefined) throw new Usage('-o OUT is missing');
	const loaded = loadModel(path);
	try {
		const options = { out, threads, samples, seed, ...(force && { force }), ...(shapes && { shapes }) };
		const done = await splitModel(loaded, options);
		if (flags.json === true)
			printJson({ ...{ schema: 'prunec/split@1', ok: true, ...done }, diagnostics: [] });
		else
			print(
				`${stageTable(done)}\n\nproof    equal to the model, exit by exit, on ${done.samples} inputs: error ${done.error.toExponential(1)}\nwritten  ${out}`,
			);
		return 0;
	} finally {
		loaded.file.close();
	}
}

function stageTable({ manifest }: Split): string {
	return table([
		['file', 'rows leave', 'reads', 'carries'],
		...manifest.stages.map(({ file, exit, inputs, carries }) => [
			file,
			exit === undefined ? 'all' : `after layer ${exit.layer}, where '${exit.leaves}' is true`,
			inputs.map(({ name }) => name).join(', '),
			carries.map(({ name }) => name).join(', '),
		]),
	]);
}
