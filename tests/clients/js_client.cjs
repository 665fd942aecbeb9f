// Run by test_sandbox_clients with Alpaca's JavaScript SDK: trades and listens, and prints what it saw.
// Only the URLs are given; the rest is the SDK as it comes from npm.
const { trading, marketData, Alpaca } = require("@alpacahq/alpaca-trade-api");

const url = process.env.SANDBOX_URL;
const keys = { keyId: process.env.APCA_API_KEY_ID, secret: process.env.APCA_API_SECRET_KEY };
const configuration = new trading.Configuration({ ...keys, basePath: url });
const dataConfiguration = new marketData.Configuration({ ...keys, basePath: url });

async function listen() {
  const stream = new Alpaca(keys).trading.stream({ url: url.replace("http", "ws") + "/stream" });
  const fill = new Promise((resolve) => {
    stream.onTradeUpdate((update) => {
      if (update.event === "fill") resolve(update);
    });
  });
  stream.onConnect(() => stream.subscribeTradeUpdates());
  stream.connect();
  const authenticated = await stream.whenAuthenticated();
  return { stream, fill, authenticated };
}

async function main() {
  const orders = new trading.OrdersApi(configuration);
  const positions = new trading.PositionsApi(configuration);
  const stocks = new marketData.StockApi(dataConfiguration);
  const seen = {};
  seen.account = (await new trading.AccountsApi(configuration).getAccount()).accountNumber;
  seen.clock = (await new trading.ClockApi(configuration).legacyClock()).isOpen;
  seen.assets = (await new trading.AssetsApi(configuration).getV2Assets({})).map((asset) => asset.symbol).sort();
  const placed = await orders.postOrder({
    postOrderRequest: { symbol: "AAPL", qty: "2", side: "buy", type: "market", timeInForce: "day", clientOrderId: "js-1" },
  });
  const read = await orders.getOrderByOrderID({ orderId: placed.id });
  seen.order = [placed.status, read.status, read.filledAvgPrice];
  seen.found = (await orders.getOrderByClientOrderId({ clientOrderId: "js-1" })).id === placed.id;
  const bracket = await orders.postOrder({
    postOrderRequest: {
      symbol: "MSFT", qty: "1", side: "buy", type: "limit", limitPrice: "250", timeInForce: "gtc", orderClass: "bracket",
      takeProfit: { limitPrice: "350" }, stopLoss: { stopPrice: "200" },
    },
  });
  seen.bracket = bracket.legs.map((leg) => leg.type);
  await orders.getAllOrders({ status: "open" });
  const replaced = await orders.patchOrderByOrderId({ orderId: bracket.id, patchOrderRequest: { limitPrice: "251" } });
  seen.replaced = replaced.replaces === bracket.id;
  seen.positions = (await positions.getAllOpenPositions()).map((position) => [position.symbol, position.qty]);
  seen.cancelled = (await orders.deleteAllOrders()).every((entry) => entry.status === 200);
  seen.quote = (await stocks.stockLatestQuotes({ symbols: "AAPL" })).quotes.AAPL.ap;
  seen.bars = (await stocks.stockBars({ symbols: "AAPL", timeframe: "1Day", start: new Date("2026-11-16"), end: new Date("2026-11-20") })).bars.AAPL.length;
  const { stream, fill, authenticated } = await listen();
  seen.authenticated = authenticated.authenticated;
  // The subscription travels beside the orders; one that overtakes it goes unheard.
  let update;
  while (update === undefined) {
    await orders.postOrder({ postOrderRequest: { symbol: "MSFT", qty: "1", side: "buy", type: "market", timeInForce: "day" } });
    update = await Promise.race([fill, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  seen.fill = [update.event, update.order.symbol];
  stream.disconnect();
  process.stdout.write(JSON.stringify(seen));
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
