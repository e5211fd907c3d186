/** Builds of models made in code, for tests of statements that change nothing but the graph. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';

export type Built = {
	readonly document: BuildDocument;
	readonly model: Model;
	/** Whether the plan file made the same bytes, with `again`. */
	readonly same?: boolean;
};

/** The document of a build and the model it wrote; errors of the build are thrown. */
export async function buildOf(model: Model, recipe: string, { again = false } = {}): Promise<Built> {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-exact-'));
	const at = (name: string): string => join(folder, name);
	try {
		saveModel(model, at('in.onnx'));
		const options = { model: at('in.onnx'), out: at('out.onnx'), threads: 1, samples: 2 };
		const document = await compile({ recipe, ...options, ...(again && { planPath: at('plan.json') }) });
		const errors = document.diagnostics.filter(({ severity }) => severity === 'error');
		if (errors.length > 0)
			throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join('\n'));
		const loaded = loadModel(at('out.onnx'));
		const result = { document, model: loaded.model };
		loaded.file.close();
		if (!again) return result;
		await applyPlan(at('plan.json'), { ...options, out: at('again.onnx'), verify: false });
		return { ...result, same: readFileSync(at('out.onnx')).equals(readFileSync(at('again.onnx'))) };
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** How many nodes of each operator a model has, constants apart. */
export function operators(model: Model): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const { op } of model.graph.nodes) if (op !== 'Constant') counts[op] = (counts[op] ?? 0) + 1;
	return counts;
}

/** Every message of a build, its notes joined on. */
export function reasons({ diagnostics }: BuildDocument): string[] {
	return diagnostics.map(({ message, notes = [] }) => [message, ...notes].join(' '));
}
