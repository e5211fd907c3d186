/** Modules of sentence-transformers behind a model: what they say of the width of its rows. https://sbert.net/docs/package_reference/sentence_transformer/models.html */
import { type SideFile } from '../backends/onnx/layout.ts';
import { type Changed, type widthsChanged } from './config-file.ts';
import { type Settings } from '../data/beside.ts';

type Widths = ReturnType<typeof widthsChanged>;

/** Pooling says the new width; a matrix behind it (`2_Dense`) is of the old one, and keeps the folder from loading. */
export function withPooling(
	sides: readonly SideFile[],
	widths: Widths,
): { readonly sides: readonly SideFile[]; readonly unfit: Changed['unfit'] } {
	const toOf = (from: unknown): number | undefined => widths.find((one) => one.from === from)?.to;
	const unfit: { readonly loader: string; readonly why: string }[] = [];
	const changed = sides.map((side): SideFile => {
		const [, module] = /^(\d+_[A-Z]\w*)\/config\.json$/.exec(side.name) ?? [];
		const settings = module === undefined ? undefined : objectIn(side);
		const [pooled, read] = [settings?.['word_embedding_dimension'], settings?.['in_features']].map(toOf);
		if (read !== undefined)
			unfit.push({
				loader: 'sentence-transformers',
				why: `${module ?? ''} reads ${String(settings?.['in_features'])} numbers, and rows have ${read}`,
			});
		if (pooled === undefined) return side;
		const text = `${JSON.stringify({ ...settings, word_embedding_dimension: pooled }, undefined, 2)}\n`;
		return { name: side.name, read: () => Buffer.from(text) };
	});
	return { sides: changed, unfit };
}

function objectIn({ read }: SideFile): Settings | undefined {
	try {
		const value: unknown = JSON.parse(Buffer.from(read(false)).toString());
		return typeof value === 'object' && value !== null ? (value as Settings) : undefined;
	} catch {
		return undefined;
	}
}
