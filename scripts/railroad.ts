/** Railroad diagrams as SVG: every path along the rails is a sentence of the grammar. */

export type Piece =
	| { readonly kind: 'box'; readonly text: string; readonly literal: boolean }
	| { readonly kind: 'sequence'; readonly pieces: readonly Piece[] }
	/** One of several ways. */
	| { readonly kind: 'choice'; readonly pieces: readonly Piece[] }
	/** Once or more. */
	| { readonly kind: 'loop'; readonly piece: Piece };

/** A drawn piece: rails enter at its left edge and leave at its right, `up` below its top. */
type Drawn = {
	readonly width: number;
	readonly up: number;
	readonly down: number;
	readonly draw: (x: number, y: number) => string;
};

const [gap, half, letter, bend] = [14, 12, 7.3, 10];

/** One drawing of named rules, one below the other. */
export function diagram(rules: readonly { readonly name: string; readonly piece: Piece }[]): string {
	let y = 10;
	let width = 0;
	const parts = rules.map(({ name, piece }) => {
		const drawn = drawnOf(piece);
		const top = y + 22 + drawn.up;
		y = top + drawn.down + 24;
		width = Math.max(width, drawn.width + 60);
		const ends = `<path d="M10 ${top - 7}v14M10 ${top}h20M${30 + drawn.width} ${top}h20M${50 + drawn.width} ${top - 7}v14"/>`;
		return `<g id="${name}"><text class="rule" x="10" y="${top - drawn.up - 8}">${name}</text>${ends}${drawn.draw(30, top)}</g>`;
	});
	const style =
		'svg{background:#fff}path,rect{fill:none;stroke:#333;stroke-width:1.4}rect{fill:#eef3fb}rect.word{fill:#fdf3d8}' +
		'text{font:12px monospace;fill:#111}text.rule{font:bold 14px sans-serif}';
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${Math.ceil(y)}" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(y)}"><title>The grammar of recipes</title><style>${style}</style>\n${parts.join('\n')}\n</svg>\n`;
}

function drawnOf(piece: Piece): Drawn {
	switch (piece.kind) {
		case 'box':
			return box(piece.text, piece.literal);
		case 'sequence':
			return row(piece.pieces.map(drawnOf));
		case 'choice':
			return stack(piece.pieces.map(drawnOf));
		case 'loop':
			return loop(drawnOf(piece.piece));
	}
}

function box(text: string, literal: boolean): Drawn {
	const width = text.length * letter + 16;
	const shape = (x: number, y: number): string =>
		`<rect${literal ? ' class="word"' : ''} x="${x}" y="${y - half}" width="${width}" height="${2 * half}" rx="${literal ? half : 2}"/>`;
	const said = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
	const draw = (x: number, y: number): string =>
		`${shape(x, y)}<text x="${x + 8}" y="${y + 4}">${said}</text>`;
	return { width, up: half, down: half, draw };
}

function row(items: readonly Drawn[]): Drawn {
	const width = items.reduce((sum, item) => sum + item.width, 0) + gap * Math.max(0, items.length - 1);
	const draw = (x: number, y: number): string => {
		let at = x;
		return items
			.map((item, index) => {
				const rail = index === 0 ? '' : `<path d="M${at} ${y}h${gap}"/>`;
				at += index === 0 ? 0 : gap;
				const drawn = item.draw(at, y);
				at += item.width;
				return rail + drawn;
			})
			.join('');
	};
	return {
		width,
		up: Math.max(2, ...items.map(({ up }) => up)),
		down: Math.max(2, ...items.map(({ down }) => down)),
		draw,
	};
}

function stack(items: readonly Drawn[]): Drawn {
	const inner = Math.max(...items.map(({ width }) => width));
	const offsets = items.reduce<number[]>((all, item, index) => {
		const above = items[index - 1];
		return [...all, above === undefined ? 0 : (all[index - 1] ?? 0) + above.down + 8 + item.up];
	}, []);
	const width = inner + 4 * bend;
	const draw = (x: number, y: number): string =>
		items
			.map((item, index) => {
				const down = offsets[index] ?? 0;
				const left = x + 2 * bend;
				const turn =
					down === 0
						? `M${x} ${y}h${2 * bend}`
						: `M${x} ${y}q${bend} 0 ${bend} ${bend}v${down - 2 * bend}q0 ${bend} ${bend} ${bend}`;
				const back =
					down === 0
						? `M${left + item.width} ${y}H${x + width}`
						: `M${left + item.width} ${y + down}H${x + width - 2 * bend}q${bend} 0 ${bend} ${-bend}v${2 * bend - down}q0 ${-bend} ${bend} ${-bend}`;
				return `<path d="${turn}"/>${item.draw(left, y + down)}<path d="${back}"/>`;
			})
			.join('');
	return { width, up: items[0]?.up ?? 2, down: (offsets.at(-1) ?? 0) + (items.at(-1)?.down ?? 2), draw };
}

function loop(item: Drawn): Drawn {
	const width = item.width + 2 * bend;
	const drop = item.down + bend;
	const draw = (x: number, y: number): string => {
		const [left, right] = [x + bend, x + bend + item.width];
		const back = `M${right} ${y}q${bend} 0 ${bend} ${bend}v${drop - 2 * bend}q0 ${bend} ${-bend} ${bend}H${left}q${-bend} 0 ${-bend} ${-bend}v${2 * bend - drop}q0 ${-bend} ${bend} ${-bend}`;
		return `<path d="M${x} ${y}h${bend}M${right} ${y}h${bend}"/>${item.draw(left, y)}<path d="${back}"/>`;
	};
	return { width, up: item.up, down: drop + 2, draw };
}
