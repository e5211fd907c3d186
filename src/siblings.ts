/**
 * Other models of a folder: the same network in other precisions, or a part of it. Each takes the recipe by itself, and goes along where it
 * loses the same units; a folder never holds models that were pruned differently.
 */
import { join } from 'node:path';
import { placeOf, siblingsOf, targetOf } from './backends/onnx/layout.ts';
import { type BuildDocument, type CompileOptions, type StepReport } from './document.ts';
import { siblingsGo, siblingStays } from './messages/folder.ts';

/** Builds one model and writes it only where its steps have these losses. */
export type BuildAlike = (options: CompileOptions, losses: string) => Promise<BuildDocument>;

/** Which units each step takes, as a text to compare. */
export function lossesOf(
	steps: readonly Pick<StepReport, 'technique' | 'selected' | 'of' | 'removed'>[],
): string {
	return JSON.stringify(
		steps.map(({ technique, selected, of, removed }) => [technique, selected, of, removed]),
	);
}

/** The document of a folder's model with what became of the others. */
export async function withSiblings(
	document: BuildDocument,
	{ planPath: _, against: __, ...options }: CompileOptions,
	build: BuildAlike,
): Promise<BuildDocument> {
	const { model, out } = options;
	if (!document.ok || document.steps.length === 0 || out === undefined || out.endsWith('.onnx'))
		return document;
	const place = placeOf(model);
	const { root } = targetOf(place, out);
	const gone: string[] = [];
	const diagnostics = [...document.diagnostics];
	for (const name of siblingsOf(place)) {
		options.onProgress?.(`the same for ${name}`);
		const paths = { model: join(place.folder ?? '', name), out: join(root, name) };
		const other = await build({ ...options, ...paths }, lossesOf(document.steps));
		const failed = other.diagnostics.find(({ severity }) => severity === 'error');
		if (failed === undefined) gone.push(name);
		else diagnostics.push(siblingStays({ name, why: failed.message }));
	}
	if (gone.length > 0) diagnostics.push(siblingsGo({ names: gone }));
	return { ...document, diagnostics };
}
